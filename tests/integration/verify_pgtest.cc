#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/verify_test.h"
#include "tests/support/workload.h"

namespace pgteal::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class VerifyVerb : public VerifyTest {};

TEST_F(VerifyVerb, FindsNothingAgainAndAgainUnderLoad) {
  Workload::CreateTables(db_);
  Start();
  Workload workload(db_.BlueInfo(), {.sessions = 6, .pace = std::chrono::milliseconds(4)});
  ASSERT_TRUE(WaitUntil([&] { return workload.committed() > 200; }, std::chrono::seconds(30)));
  std::string last_lsn;
  for (int i = 0; i < 6; ++i) {
    const Json report = Verify(0);
    EXPECT_TRUE(report.at("equal").get<bool>()) << report.dump(2);
    EXPECT_NE(report.at("lsn").get<std::string>(), last_lsn);
    std::printf("paused_ms %d took_ms %d\n", report.at("paused_ms").get<int>(),
                report.at("took_ms").get<int>());
    last_lsn = report.at("lsn").get<std::string>();
  }
  EXPECT_FALSE(workload.is_finished()) << "there was no load any more";
  workload.Stop();
  ExpectCaughtUpAndEqual();
}

TEST_F(VerifyVerb, NamesWhatIsMissingExtraAndDifferentByItsKey) {
  ExecBoth(
      "CREATE TABLE t (region text, id int, note text, n int, PRIMARY KEY (region, id));"
      "INSERT INTO t SELECT 'eu', g, 'note ' || g, g FROM generate_series(1, 5000) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  green().Exec(
      "DELETE FROM t WHERE id = 17; UPDATE t SET note = 'secret', n = n + 1 WHERE id = 400;"
      "INSERT INTO t VALUES ('us', 1, 'secret', 1)");
  const Json report = Verify(4);
  EXPECT_FALSE(report.at("equal").get<bool>());
  EXPECT_THAT(
      Differences(report, "t"),
      ElementsAre(R"(different{"id":"400","region":"eu"}["note","n"])",
                  R"(extra{"id":"1","region":"us"})", R"(missing{"id":"17","region":"eu"})"));
  EXPECT_EQ(Table(report, "t").at("blue_rows"), 5000);
  EXPECT_THAT(report.dump() + VerifyLog(), Not(HasSubstr("secret")));
}

TEST_F(VerifyVerb, BringsGreenUpToBlueItselfWhenNoRunStreams) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v int)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, g FROM generate_series(1, 1000) AS g");
  Verify(0);
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "1000");
  green().Exec("UPDATE t SET v = 0 WHERE id = 77");
  EXPECT_THAT(Differences(Verify(4), "t"), ElementsAre(R"(different{"id":"77"}["v"])"));
  // And a later run resumes.
  blue().Exec("UPDATE t SET v = 5 WHERE id = 77");
  ExpectApplied();
}

}  // namespace
}  // namespace pgteal::tests
