#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {
namespace {

// The shortest way through the whole machine, on every pair of versions that is promised.
class Smoke : public testing::TestWithParam<Versions> {
 protected:
  Smoke() : db_(ClusterPair::Shared(GetParam())) {}

  DatabasePair db_;
};

TEST_P(Smoke, StreamsSurvivesAKillAndEndsCleanly) {
  db_.ExecBoth("CREATE TABLE t(a int PRIMARY KEY, b text)");
  auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(db_.WaitCaughtUp());
  db_.blue().Exec("INSERT INTO t SELECT g, repeat('x', g) FROM generate_series(1, 1000) g");
  ASSERT_TRUE(db_.WaitCaughtUp());
  EXPECT_TRUE(db_.Equal());

  run->Kill9();
  db_.blue().Exec("UPDATE t SET b = 'y' WHERE a < 100; DELETE FROM t WHERE a > 900");
  run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(db_.WaitCaughtUp());
  EXPECT_TRUE(db_.Equal());

  run->Terminate();
  EXPECT_EQ(run->WaitExit(), 130);
}

INSTANTIATE_TEST_SUITE_P(Pairs, Smoke,
                         testing::Values(Versions{14, 18}, Versions{15, 17}, Versions{16, 17},
                                         Versions{17, 17}),
                         [](const testing::TestParamInfo<Versions>& pair) {
                           return std::to_string(pair.param.blue) + "to" +
                                  std::to_string(pair.param.green);
                         });

}  // namespace
}  // namespace pgteal::tests
