#ifndef PGTEAL_TESTS_INTEGRATION_MEMBERSHIP_TEST_H_
#define PGTEAL_TESTS_INTEGRATION_MEMBERSHIP_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"
#include "tests/integration/stream_test.h"

namespace pgteal::tests {

// Which tables of the publication have all their rows on green: H9 says which do not.
class Membership : public StreamTest {
 protected:
  Membership() {
    ExecBoth("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE h (id int PRIMARY KEY)");
    ExecBoth("INSERT INTO t VALUES (1); INSERT INTO h VALUES (1)");
  }
  // A stream that is over at once: whatever follows happens between two looks.
  // On green too, which is read-only by default.
  void ExecEverywhere(const std::string& sql) {
    blue().Exec(sql);
    db_.GreenWriter().Exec(sql);
  }
  void StreamOnce(const Args& more = {}) { ASSERT_EQ(RunUntilCaughtUp(more), 0) << Log(); }
  void Begin() { StreamOnce({"--include-table", "t", "--include-table", "h"}); }
  CheckRun Ask() { return RunCheck(db_, {"--phase", "switchover", "--only", "H9"}); }
  void ExpectBehind(const std::string& table) {
    const auto check = Ask();
    EXPECT_EQ(check.Outcomes("H9"), "FAIL");
    EXPECT_THAT(check.Findings("H9"), testing::HasSubstr("--reload-table public." + table));
  }
  void ExpectComplete() {
    const auto check = Ask();
    EXPECT_EQ(check.Outcomes("H9"), "PASS") << check.Findings("H9");
  }
  void Reload(const std::string& table) {
    const auto reload = db_.Pgteal(
        {"run", "--copy", "data", "--reload-table", "public." + table, "--until-caught-up"});
    ASSERT_EQ(reload->WaitExit(std::chrono::seconds(60)), 0) << reload->Log();
  }
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_INTEGRATION_MEMBERSHIP_TEST_H_
