#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// A server that recovers without end is a standby, whoever it follows.
void MakeStandby(PgCluster& cluster) {
  cluster.Connect().Exec("COPY (SELECT 1 WHERE false) TO '" +
                         (cluster.data_folder() / "standby.signal").string() + "'");
  cluster.Restart();
}

TEST(CheckStandby, AStandbyIsNoBlueAndNoGreen) {
  ClusterPair clusters({17, 17});
  DatabasePair db(clusters);
  EXPECT_EQ(RunCheck(db, {"--only", "A5"}).Outcomes("A5"), "PASS PASS");
  MakeStandby(clusters.blue());
  const auto blue = RunCheck(db, {"--only", "A5"});
  EXPECT_EQ(blue.exit_code, 3);
  EXPECT_EQ(blue.Outcomes("A5"), "FAIL PASS");
  EXPECT_THAT(blue.Findings("A5"), HasSubstr("blue is a standby"));
  // Everything else can be asked all the same.
  EXPECT_EQ(RunCheck(db, {"--side", "blue", "--only", "B15"}).Outcomes("B15"), "INFO");
  const auto green =
      ReadCheck(*db.PgtealVia(db.GreenInfo(), db.BlueInfo(), {"check", "--json", "--only", "A5"}));
  EXPECT_EQ(green.exit_code, 3);
  EXPECT_EQ(green.Outcomes("A5"), "PASS FAIL");
  EXPECT_THAT(green.Findings("A5"), HasSubstr("green is a standby"));
  std::filesystem::remove(clusters.blue().data_folder() / "standby.signal");
  clusters.blue().Restart();
}

class CheckServers : public PairTest {
 protected:
  CheckServers() : PairTest({16, 18}) {}
};

// No released server has the setting, so the answer of one that has is put into this database:
// every session finds functions of pg_catalog first.
TEST_F(CheckServers, AListOfOutputPluginsWithoutOursIsFound) {
  EXPECT_EQ(RunCheck(db_, {"--only", "B10"}).Outcomes("B10"), "PASS");
  blue().Exec(
      "ALTER FUNCTION pg_catalog.current_setting(text, boolean) RENAME TO real_setting;"
      "CREATE FUNCTION pg_catalog.current_setting(name text, missing_ok boolean) RETURNS text"
      " LANGUAGE sql STABLE AS $$ SELECT CASE name WHEN 'output_plugin_libraries' THEN"
      " 'test_decoding, wal2json' ELSE pg_catalog.real_setting(name, missing_ok) END $$");
  for (const auto* phase : {"before", "running"}) {
    const auto check = RunCheck(db_, {"--only", "B10", "--phase", phase});
    EXPECT_EQ(check.exit_code, 3) << phase;
    EXPECT_EQ(check.Outcomes("B10"), "FAIL") << phase;
    EXPECT_THAT(check.Findings("B10"),
                HasSubstr("output_plugin_libraries = test_decoding, wal2json"));
    EXPECT_THAT(check.Findings("B10"), HasSubstr("with pgoutput; SELECT pg_reload_conf();"));
  }
}

// An extension is known by its name, and these are not installed here.
TEST_F(CheckServers, ExtensionsWhoseJobsWriteOnGreenAreFound) {
  EXPECT_EQ(RunCheck(db_, {"--only", "E8"}).Outcomes("E8"), "PASS");
  green().Exec(
      "CREATE EXTENSION tcn; UPDATE pg_extension SET extname = 'pg_cron' WHERE extname = 'tcn'");
  const auto jobs = RunCheck(db_, {"--only", "E8"});
  EXPECT_EQ(jobs.exit_code, 0);
  EXPECT_EQ(jobs.Outcomes("E8"), "WARN");
  EXPECT_THAT(jobs.Findings("E8"), HasSubstr("extension pg_cron"));
  green().Exec(
      "CREATE EXTENSION lo; UPDATE pg_extension SET extname = 'spock' WHERE extname = 'lo'");
  for (const auto* phase : {"before", "running", "switchover"}) {
    const auto replication = RunCheck(db_, {"--only", "E8", "--phase", phase});
    EXPECT_EQ(replication.exit_code, 3) << phase;
    EXPECT_EQ(replication.Outcomes("E8"), "FAIL") << phase;
    EXPECT_THAT(replication.Findings("E8"), HasSubstr("extension spock")) << phase;
  }
}

TEST_F(CheckServers, TransactionsThatTheSlotSpilledAreFound) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v text)");
  auto run = db_.Pgteal({"run", "--copy", "data", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(), 0) << run->Log();
  EXPECT_EQ(RunCheck(db_, {"--only", "H2"}).Outcomes("H2"), "PASS");
  blue().Exec(
      "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i;"
      "SET logical_decoding_work_mem = '64kB'");
  blue().Exec(
      "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('pgteal', NULL, NULL,"
      " 'proto_version', '1', 'publication_names', 'pgteal')");
  CheckRun check;
  EXPECT_TRUE(WaitUntil(
      [&] {
        check = RunCheck(db_, {"--only", "H2"});
        return check.Outcomes("H2") == "INFO";
      },
      seconds(30)));
  EXPECT_THAT(check.Findings("H2"), HasSubstr("1 transactions spilled, "));
  EXPECT_THAT(check.Findings("H2"), HasSubstr("ALTER SYSTEM SET logical_decoding_work_mem"));
}

TEST_F(CheckServers, TheRateAtWhichBlueWritesLogIsMeasured) {
  Sql writer(db_.BlueInfo());
  writer.Send(
      "DO $$ BEGIN LOOP PERFORM pg_logical_emit_message(false, 'x', repeat('y', 2000));"
      " PERFORM pg_sleep(0.001); END LOOP; END $$");
  const auto check = RunCheck(db_, {"--only", "B15"});
  EXPECT_EQ(check.Outcomes("B15"), "INFO");
  EXPECT_THAT(check.Findings("B15"),
              testing::ContainsRegex("[0-9]+ [kMG]B in [0-9]+ files; [0-9]+ [A-Za-z]+/s now, "
                                     "[0-9]+ [A-Za-z]+/s since [0-9-]+: a slot that stands still "
                                     "keeps [0-9]+ [A-Za-z]+ a day"));
  EXPECT_THAT(check.Findings("B15"), testing::Not(HasSubstr("; 0 bytes/s now")));
  blue().Exec("SELECT pg_cancel_backend(" + std::to_string(writer.backend_pid()) + ")");
  EXPECT_THROW(writer.Finish(), SqlError);
}

}  // namespace
}  // namespace pgteal::tests
