#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"
#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// What pgteal.table_state says of a table decides which changes are for it, and whether green may
// be opened.
class TableStates : public PairTest {
 protected:
  // Larger than a table must be to be copied in pieces, after it was emptied.
  void MakeBigTable() {
    ExecBoth("CREATE TABLE big (id int PRIMARY KEY, t text); CREATE TABLE small (LIKE big)");
    ExecBoth("ALTER TABLE big ALTER t SET STORAGE PLAIN; ALTER TABLE small ADD PRIMARY KEY (id)");
    blue().Exec(
        "INSERT INTO big SELECT g, repeat('x', 7000) FROM generate_series(1, 10000) g;"
        "INSERT INTO small SELECT g, 'x' FROM generate_series(1, 100) g");
  }
  void Begin() {
    const auto run = Pgteal({"--until-caught-up"});
    ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  }
  std::unique_ptr<PgtealProcess> Pgteal(std::vector<std::string> more) {
    std::vector<std::string> args = {"run", "--copy", "data"};
    args.insert(args.end(), more.begin(), more.end());
    return db_.Pgteal(args);
  }
  // Ends without a word, and waits until its sessions are gone.
  void Kill(PgtealProcess& run) {
    run.Kill9();
    for (auto* side : {&blue(), &green()}) {
      side->Query(
          "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
          " WHERE datname = current_database() AND application_name LIKE 'pgteal%'");
    }
    ASSERT_TRUE(WaitUntil(
        [this] {
          return blue().Scalar(
                     "SELECT count(*) FROM pg_replication_slots WHERE active AND database ="
                     " current_database()") == "0";
        },
        seconds(20)));
  }
  // A reload of `big` that gets no further than to empty it.
  void InterruptReload() {
    Sql green_writer = db_.GreenWriter();
    green_writer.Exec(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';"
        "CREATE TRIGGER wait BEFORE INSERT ON big EXECUTE FUNCTION wait();"
        "ALTER TABLE big ENABLE ALWAYS TRIGGER wait");
    green_writer.Exec("SELECT pg_advisory_lock(1)");
    const auto run = Pgteal({"--jobs", "2", "--reload-table", "public.big"});
    ASSERT_TRUE(WaitUntil([this] { return CountOf("big") == "0"; }, seconds(30))) << run->Log();
    ASSERT_NO_FATAL_FAILURE(Kill(*run));
    green_writer.Exec("SELECT pg_advisory_unlock(1); DROP FUNCTION wait CASCADE");
    ASSERT_EQ(CountOf("big"), "0");
  }
  std::string CountOf(const std::string& table) {
    return green().Scalar("SELECT count(*) FROM " + table);
  }
  std::string State() { return green().Scalar("SELECT state FROM pgteal.deployment"); }
  CheckRun Ask() { return RunCheck(db_, {"--phase", "switchover", "--only", "H9"}); }
  void ExpectRefused(const std::string& table) {
    const auto check = Ask();
    EXPECT_EQ(check.Outcomes("H9"), "FAIL");
    EXPECT_THAT(check.Findings("H9"), HasSubstr("--reload-table public." + table));
  }
};

TEST_F(TableStates, AReloadThatWasInterruptedLeavesNoTableThatCountsAsComplete) {
  MakeBigTable();
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(InterruptReload());
  ExpectRefused("big");

  const auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  EXPECT_THAT(run->Log(), HasSubstr("--reload-table public.big"));
  EXPECT_TRUE(WaitUntil([this] { return State() == "degraded"; }, seconds(30))) << run->Log();
  EXPECT_TRUE(run->WaitForLog("green has not all rows: a reload of public.big")) << run->Log();
  ExpectRefused("big");
  const auto turn = db_.Pgteal({"switchover"});
  EXPECT_EQ(turn->WaitExit(seconds(60)), 3) << turn->Log();
  EXPECT_THAT(turn->Log(), HasSubstr("--reload-table public.big"));
  // Of the rows that the reload has not copied yet none can be changed.
  blue().Exec("UPDATE big SET id = -id WHERE id = 1; INSERT INTO small VALUES (1000000)");
  EXPECT_TRUE(db_.WaitCaughtUp()) << run->Log();
  run->Terminate();
  ASSERT_EQ(run->WaitExit(), 130);

  const auto other = Pgteal({"--reload-table", "public.small", "--until-caught-up"});
  ASSERT_EQ(other->WaitExit(seconds(60)), 0) << other->Log();
  EXPECT_THAT(other->Log(), Not(HasSubstr("gone from blue's publication")));
  ExpectRefused("big");

  const auto reload = Pgteal({"--reload-table", "public.big", "--until-caught-up"});
  ASSERT_EQ(reload->WaitExit(seconds(60)), 0) << reload->Log();
  EXPECT_EQ(Ask().Outcomes("H9"), "PASS") << Ask().Findings("H9");
  EXPECT_EQ(State(), "streaming");
  EXPECT_TRUE(db_.Equal());
}

// Its name is another then, and the record of its copy has the old one.
TEST_F(TableStates, AReloadThatWasInterruptedIsNotForgottenWhenTheTableIsRenamed) {
  MakeBigTable();
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(InterruptReload());
  blue().Exec("ALTER TABLE big RENAME TO large");
  db_.GreenWriter().Exec("ALTER TABLE big RENAME TO large");
  ExpectRefused("large");
}

// It is no member of the publication.
TEST_F(TableStates, AReloadOfAPartitionThatWasInterruptedIsOnRecordToo) {
  MakeBigTable();
  ExecBoth(
      "CREATE TABLE parts (id int, t text) PARTITION BY RANGE (id);"
      "ALTER TABLE parts ATTACH PARTITION big FOR VALUES FROM (0) TO (20000)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE parts, small");
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(InterruptReload());
  ExpectRefused("big");
  const auto reload = Pgteal({"--reload-table", "public.big", "--until-caught-up"});
  ASSERT_EQ(reload->WaitExit(seconds(60)), 0) << reload->Log();
  EXPECT_EQ(Ask().Outcomes("H9"), "PASS") << Ask().Findings("H9");
  EXPECT_TRUE(db_.Equal());
}

// One that is published no more is no obstacle, and taken off the record by the next reload.
TEST_F(TableStates, AReloadThatWasInterruptedIsSettledWhenTheTableIsPublishedNoMore) {
  MakeBigTable();
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE big, small");
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(InterruptReload());
  for (auto* side : {&blue(), &green()}) {
    side->Exec("BEGIN READ WRITE; DROP TABLE big; COMMIT");
  }
  EXPECT_EQ(Ask().Outcomes("H9"), "PASS") << Ask().Findings("H9");
  const auto other = Pgteal({"--reload-table", "public.small", "--until-caught-up"});
  ASSERT_EQ(other->WaitExit(seconds(60)), 0) << other->Log();
  EXPECT_THAT(other->Log(), HasSubstr("public.big is gone from blue's publication"));
}

// The stream stands before a copy's position when a second one is cut off before it has emptied
// the table: what the first copy holds is still not for the table.
TEST_F(TableStates, AReloadThatHasNotEmptiedItsTableYetDoublesNoRows) {
  ExecBoth(
      "CREATE TABLE t (n int); CREATE TABLE gate (id int PRIMARY KEY);"
      "ALTER TABLE t REPLICA IDENTITY FULL");
  ASSERT_NO_FATAL_FAILURE(Begin());
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE gate IN SHARE MODE");
  blue().Exec("INSERT INTO gate VALUES (1)");
  blue().Exec("INSERT INTO t VALUES (1), (2), (3)");
  auto run = Pgteal({"--reload-table", "public.t"});
  ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  ASSERT_NO_FATAL_FAILURE(Kill(*run));
  ASSERT_EQ(CountOf("t"), "3");

  holder.Exec("LOCK TABLE t IN ACCESS SHARE MODE");
  run = Pgteal({"--reload-table", "public.t"});
  ASSERT_TRUE(WaitUntil(
      [this] {
        return green().Scalar(
                   "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation ="
                   " 't'::regclass") == "1";
      },
      seconds(30)))
      << run->Log();
  ASSERT_NO_FATAL_FAILURE(Kill(*run));
  holder.Exec("ROLLBACK");

  run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  EXPECT_TRUE(db_.Equal());
}

// A physical snapshot of blue has what an earlier migration left on blue, with positions of another
// server's log.
TEST_F(TableStates, PositionsThatGreenBringsAlongKeepNoChangesFromIt) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  green().Exec(
      "CREATE SCHEMA pgteal; CREATE TABLE pgteal.table_state (deployment text NOT NULL,"
      " schema_name text NOT NULL, table_name text NOT NULL, phase text NOT NULL,"
      " copied_rows bigint NOT NULL DEFAULT 0, copied_bytes bigint NOT NULL DEFAULT 0,"
      " ready_lsn pg_lsn, updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
      " PRIMARY KEY (deployment, schema_name, table_name));"
      "INSERT INTO pgteal.table_state (deployment, schema_name, table_name, phase, ready_lsn)"
      " SELECT name, 'public', 't', 'ready', 'FFFF/0' FROM unnest('{m1,pgteal}'::text[]) AS name");
  auto run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  blue().Exec("INSERT INTO t VALUES (1)");
  run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  EXPECT_TRUE(db_.Equal());
}

}  // namespace
}  // namespace pgteal::tests
