#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <string>

#include "tests/integration/stream_test.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

class Resume : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth("CREATE TABLE t(id int PRIMARY KEY, v text); CREATE TABLE log(a int)");
    blue().Exec("ALTER TABLE log REPLICA IDENTITY FULL");
  }
  void Insert(int id) {
    const std::string key = std::to_string(id);
    blue().Exec("INSERT INTO t VALUES (" + key + ", 'v'); INSERT INTO log VALUES (" + key + ")");
  }
  std::string GreenIds() {
    return green().Scalar("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t");
  }
  std::string BlueLsn() { return blue().Scalar("SELECT pg_current_wal_insert_lsn()"); }
};

TEST_F(Resume, UntilAnLsnCutsExactlyThere) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(1);
  Insert(2);
  const std::string cut = BlueLsn();
  Insert(3);
  EXPECT_EQ(Run({"--until-lsn", cut}), 0) << Log();
  EXPECT_EQ(GreenIds(), "1 2");
  EXPECT_EQ(Run({"--until-lsn", cut}), 0) << Log();
  EXPECT_EQ(GreenIds(), "1 2");
  ExpectApplied();
}

TEST_F(Resume, WhileItStreamsUntilAnLsnWaitsForIt) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(1);
  blue().Exec("BEGIN; INSERT INTO t VALUES (2, 'late')");
  const std::string cut = BlueLsn();
  Sql other(db_.BlueInfo());
  other.Exec("INSERT INTO t VALUES (3, 'v'); INSERT INTO log VALUES (3)");
  blue().Exec("COMMIT");
  EXPECT_EQ(Run({"--until-lsn", cut}), 0) << Log();
  EXPECT_EQ(GreenIds(), "1");
  ExpectApplied();
}

TEST_F(Resume, PreparedThenStartedAtASnapshotsLsn) {
  const auto prepare = db_.Pgteal({"prepare"});
  ASSERT_EQ(prepare->WaitExit(), 0) << prepare->Log();
  const std::string before = blue().Scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots");
  EXPECT_THAT(prepare->Stdout(), testing::HasSubstr(before));
  Insert(1);
  // Green as restored from a snapshot taken here.
  const std::string snapshot = BlueLsn();
  green().Exec("INSERT INTO t VALUES (1, 'v'); INSERT INTO log VALUES (1)");
  Insert(2);
  EXPECT_EQ(RunUntilCaughtUp({"--start-lsn", snapshot}), 0) << Log();
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(RunUntilCaughtUp({"--start-lsn", snapshot}), 3);
  ExpectLogNames({"pgteal", "--start-lsn"});
}

TEST_F(Resume, AStartThatTheSlotHasPassedIsRefused) {
  const std::string before = BlueLsn();
  Insert(1);
  ASSERT_EQ(db_.Pgteal({"prepare"})->WaitExit(), 0);
  EXPECT_EQ(RunUntilCaughtUp({"--start-lsn", before}), 3);
  ExpectLogNames({"slot pgteal", "past", "snapshot"});
}

TEST_F(Resume, ADroppedSlotIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("SELECT pg_drop_replication_slot('pgteal')");
  Insert(1);
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"slot pgteal", "hint"});
  EXPECT_EQ(GreenIds(), "\\N");
}

TEST_F(Resume, ARecreatedSlotIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("SELECT pg_drop_replication_slot('pgteal')");
  Insert(1);
  blue().Exec("SELECT pg_create_logical_replication_slot('pgteal', 'pgoutput')");
  Insert(2);
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"slot pgteal", "progress", "hint"});
  EXPECT_EQ(GreenIds(), "\\N");
}

TEST_F(Resume, ASlotThatSomebodyAdvancedIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(1);
  blue().Exec("SELECT pg_replication_slot_advance('pgteal', pg_current_wal_lsn())");
  Insert(2);
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"slot pgteal", "progress", "hint"});
}

TEST_F(Resume, GreenRestoredToAnEarlierStateIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const std::string early = green().Scalar("SELECT end_lsn FROM pgteal.progress");
  Insert(1);
  ASSERT_NO_FATAL_FAILURE(Apply());
  green().Exec("TRUNCATE t, log; UPDATE pgteal.progress SET end_lsn = '" + early + "'");
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"slot pgteal", early, "backup"});
}

TEST_F(Resume, AnotherBlueIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  struct Case {
    const char* change;
    const char* undo;
    const char* word;
  };
  const Case cases[] = {
      {"UPDATE pgteal.deployment SET source_system_identifier = '7' || source_system_identifier",
       "UPDATE pgteal.deployment SET source_system_identifier = substr(source_system_identifier, "
       "2)",
       "system identifier"},
      {"UPDATE pgteal.deployment SET source_timeline = 7",
       "UPDATE pgteal.deployment SET source_timeline = 1", "timeline"},
      {"UPDATE pgteal.deployment SET source_database = source_database || 'x'",
       "UPDATE pgteal.deployment SET source_database = left(source_database, -1)", "database"}};
  for (const auto& c : cases) {
    green().Exec(c.change);
    EXPECT_EQ(RunUntilCaughtUp(), 3);
    ExpectLogNames({c.word, "hint"});
    green().Exec(c.undo);
  }
  Insert(1);
  ExpectApplied();
}

TEST_F(Resume, BlueAsGreenIsRefused) {
  EXPECT_EQ(RunVia("", db_.clusters().blue().TcpConnInfo(db_.name())), 3);
  EXPECT_THAT(Log(), testing::HasSubstr("same database"));
}

TEST_F(Resume, ATableThatGreenHasNotIsNamed) {
  blue().Exec("CREATE TABLE \"only blue\"(id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(1);
  blue().Exec("INSERT INTO \"only blue\" VALUES (1)");
  Insert(2);
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"table public.only blue is missing on green", "nothing is lost", "xid"});
  EXPECT_EQ(GreenIds(), "1");
  green().Exec("CREATE TABLE \"only blue\"(id int PRIMARY KEY)");
  ExpectApplied();
}

TEST_F(Resume, AMissingPrivilegeIsNamed) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const std::string role = "writer_" + db_.name();
  green().Exec("CREATE ROLE " + role + " LOGIN; GRANT USAGE ON SCHEMA pgteal TO " + role +
               "; GRANT ALL ON ALL TABLES IN SCHEMA pgteal TO " + role +
               "; GRANT ALL ON ALL SEQUENCES IN SCHEMA pgteal TO " + role +
               "; GRANT ALL ON log TO " + role + "; GRANT SELECT ON t TO " + role);
  Insert(1);
  EXPECT_EQ(RunVia("", db_.GreenInfo() + " user=" + role), 3);
  EXPECT_THAT(Log(), testing::AllOf(testing::HasSubstr("public.t"), testing::HasSubstr("GRANT")));
  green().Exec("GRANT ALL ON t TO " + role);
  EXPECT_EQ(RunVia("", db_.GreenInfo() + " user=" + role), 0) << Log();
  EXPECT_TRUE(db_.Equal());
  green().Exec("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST_F(Resume, ARoleThatMayNotReplicateIsTold) {
  blue().Exec("CREATE ROLE nobody_" + db_.name() + " LOGIN");
  EXPECT_EQ(RunVia(db_.BlueInfo() + " user=nobody_" + db_.name(), ""), 3);
  EXPECT_THAT(Log(), testing::HasSubstr("REPLICATION"));
  blue().Exec("DROP ROLE nobody_" + db_.name());
}

TEST_F(Resume, ConnectionsThatCannotBeMade) {
  const std::string secret = " password=geheim";
  const std::string nowhere = "host=127.0.0.1 port=1 dbname=x user=postgres connect_timeout=5";
  EXPECT_EQ(RunVia(nowhere + secret, ""), 1);
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("geheim")));
  EXPECT_EQ(RunVia("", nowhere + secret), 1);
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("geheim")));
  EXPECT_EQ(RunVia("", db_.clusters().green().ConnInfo("no_such_db") + secret), 1);
  EXPECT_THAT(Log(), testing::HasSubstr("no_such_db"));
  EXPECT_EQ(RunVia("", db_.GreenInfo() + " user=no_such_role" + secret), 1);
  EXPECT_THAT(Log(), testing::HasSubstr("no_such_role"));
  EXPECT_EQ(RunVia("not a conninfo" + secret, ""), 2);
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("geheim")));
  EXPECT_EQ(Run({"--until-lsn", "nonsense"}), 2);
}

TEST_F(Resume, SigtermEndsItCleanlyAndItResumes) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Insert(1);
  ASSERT_TRUE(db_.WaitCaughtUp());
  StopCleanly();
  Insert(2);
  ASSERT_NO_FATAL_FAILURE(Start());
  ExpectCaughtUpAndEqual();
  StopCleanly();
}

TEST_F(Resume, ASecondProcessWaitsAndTakesOver) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto second = Launch();
  ASSERT_TRUE(second->WaitForLog("55006")) << second->Log();
  Insert(1);
  ASSERT_NO_FATAL_FAILURE(ExpectCaughtUpAndEqual());
  EXPECT_TRUE(process().IsRunning());
  process().Kill9();
  Insert(2);
  EXPECT_TRUE(db_.WaitCaughtUp(std::chrono::seconds(60))) << second->Log();
  EXPECT_TRUE(db_.Equal());
  second->Terminate();
  EXPECT_EQ(second->WaitExit(), 130);
}

// Who follows at once has one; more of them come with work for more than one.
TEST_F(Resume, ALaneConnectsWhenThereIsWorkForIt) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Insert(1);
  ASSERT_TRUE(db_.WaitCaughtUp());
  Sql observer = db_.clusters().green().Connect();
  const auto lanes = [&observer] {
    return observer.Scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name ="
        " 'pgteal lane pgteal'");
  };
  EXPECT_EQ(lanes(), "1");
  Sql blocker(db_.GreenInfo());
  blocker.Exec("BEGIN; LOCK TABLE t IN SHARE MODE");
  for (int i = 1; i <= 2; ++i) {
    blue().Exec("INSERT INTO t SELECT g, 'v' FROM generate_series(" + std::to_string(i * 1000) +
                ", " + std::to_string(i * 1000 + 500) + ") AS g");
    EXPECT_TRUE(WaitUntil([&] { return lanes() == std::to_string(i); }, std::chrono::seconds(20)));
  }
  blocker.Exec("ROLLBACK");
  ExpectCaughtUpAndEqual();
}

TEST_F(Resume, AnIdleStreamLetsBluesLogGo) {
  ASSERT_NO_FATAL_FAILURE(Start());
  blue().Exec("CREATE UNLOGGED TABLE noise(a int)");
  Sql elsewhere = db_.clusters().blue().Connect();
  elsewhere.Exec("CREATE TABLE IF NOT EXISTS elsewhere(a int)");
  elsewhere.Exec("INSERT INTO elsewhere SELECT g FROM generate_series(1, 20000) AS g");
  const std::string goal = BlueLsn();
  EXPECT_TRUE(WaitUntil(
      [&] {
        return blue().Scalar("SELECT confirmed_flush_lsn >= '" + goal +
                             "' FROM pg_replication_slots WHERE slot_name = 'pgteal'") == "t";
      },
      std::chrono::seconds(30)));
  elsewhere.Exec("DROP TABLE elsewhere");
  Insert(1);
  ExpectCaughtUpAndEqual();
}

constexpr const char* kTakeFirstOrigin =
    "SELECT pg_replication_origin_session_setup('pgteal_pgteal_' || oid || '_0') FROM pg_database"
    " WHERE datname = current_database()";

// Lanes connect before the sessions of a former process have been ended.
TEST_F(Resume, TakesTheOriginThatALaneOfAFormerProcessStillHas) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Sql former(db_.GreenInfo() + " application_name='pgteal lane pgteal'");
  former.Exec(kTakeFirstOrigin);
  Insert(1);
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  // Whether the lane was sooner than the end of the former session is up to chance.
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("bear no replication origin")));
}

// A deployment of the same name between two other databases.
TEST_F(Resume, LeavesTheLanesInAnotherDatabaseAlone) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Sql elsewhere(db_.clusters().green().ConnInfo("postgres") +
                " application_name='pgteal lane pgteal'");
  Insert(1);
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  EXPECT_EQ(elsewhere.Scalar("SELECT 1"), "1");
}

TEST_F(Resume, StreamsWithoutAnOriginThatAnotherSessionHas) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Sql other(db_.GreenInfo());
  other.Exec(kTakeFirstOrigin);
  Insert(1);
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  ExpectLogNames({"commits on green bear no replication origin"});
}

// Keeps blue's background writer, which logs and flushes something every 15 seconds, from doing so.
class StoppedWriter {
 public:
  explicit StoppedWriter(Sql& blue)
      : pid_(static_cast<pid_t>(std::stoi(blue.Scalar(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")))) {
    kill(pid_, SIGSTOP);
  }
  StoppedWriter(const StoppedWriter&) = delete;
  StoppedWriter& operator=(const StoppedWriter&) = delete;
  ~StoppedWriter() { kill(pid_, SIGCONT); }

 private:
  const pid_t pid_;
};

// Servers of their own: nobody else may write.
TEST(ResumeQuiet, UntilCaughtUpEndsWhereBlueHasFlushedHalfARecord) {
  ClusterPair clusters(DefaultVersions(), {{"autovacuum", "off"}});
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE t(id int PRIMARY KEY)");
  const TempFolder folder("pgteal-resume-test");
  const auto capture = [&](const std::string& file) {
    const auto run = db.Pgteal({"capture", "--output", folder / file, "--until-caught-up"});
    return run->WaitExit(std::chrono::seconds(30));
  };
  ASSERT_EQ(capture("1"), 0);
  const StoppedWriter stopped(db.blue());
  db.blue().Exec("INSERT INTO t VALUES (1)");
  // No commit flushes it; the WAL writer does so with its whole pages only.
  db.blue().Exec(
      "BEGIN; SELECT pg_logical_emit_message(false, 'test', repeat('x', 20000)); ROLLBACK");
  const auto is_within_a_record = [&db] {
    return db.blue().Scalar(
               "SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()"
               " AND (pg_current_wal_flush_lsn() - '0/0'::pg_lsn) % 8192 = 0") == "t";
  };
  ASSERT_TRUE(WaitUntil(is_within_a_record, std::chrono::seconds(30)));
  EXPECT_EQ(capture("2"), 0);
  const auto run = db.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  EXPECT_EQ(run->WaitExit(std::chrono::seconds(30)), 0) << run->Log();
}

// Servers of their own: their settings need a restart.
TEST(ResumeSettings, WalLevelAndFreeSlotsAreTold) {
  ClusterPair clusters(DefaultVersions(), {{"max_replication_slots", "1"}});
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE t(id int PRIMARY KEY)");
  db.blue().Exec("SELECT pg_create_physical_replication_slot('taken')");
  const auto no_slot = db.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  EXPECT_EQ(no_slot->WaitExit(), 3);
  EXPECT_THAT(no_slot->Log(), testing::HasSubstr("max_replication_slots"));
  db.blue().Exec("SELECT pg_drop_replication_slot('taken')");
  clusters.blue().Set("wal_level", "replica");
  clusters.blue().Restart();
  const auto no_level = db.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  EXPECT_EQ(no_level->WaitExit(), 3);
  EXPECT_THAT(no_level->Log(), testing::HasSubstr("wal_level"));
  clusters.blue().Set("wal_level", "logical");
  clusters.blue().Restart();
  const auto well = db.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  EXPECT_EQ(well->WaitExit(), 0) << well->Log();
}

}  // namespace
}  // namespace pgteal::tests
