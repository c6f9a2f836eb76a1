#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

// No thread of the process runs or wants to.
bool IsAsleep(pid_t pid) {
  const std::filesystem::directory_iterator threads("/proc/" + std::to_string(pid) + "/task");
  return std::all_of(begin(threads), end(threads), [](const auto& thread) {
    std::ifstream file(thread.path() / "stat");
    const std::string stat(std::istreambuf_iterator<char>(file), {});
    const auto name_end = stat.rfind(") ");
    return name_end != std::string::npos && stat[name_end + 2] == 'S';
  });
}

class ReadAheadTest : public StreamTest {
 protected:
  explicit ReadAheadTest(Versions versions = DefaultVersions()) : StreamTest(versions) {}

  // A row that is applied twice shows in `log`, which has no key.
  void SetUp() override {
    ExecBoth(
        "CREATE TABLE t(id int PRIMARY KEY, n int, v text, j jsonb, at timestamptz);"
        "ALTER TABLE t ALTER v SET STORAGE EXTERNAL;"
        "CREATE TABLE log(a int); ALTER TABLE log REPLICA IDENTITY FULL");
  }
  // `count` small transactions of every kind.
  void Write(int first, int count) {
    const std::string from = std::to_string(first);
    const std::string to = std::to_string(first + count - 1);
    blue().Exec("DO $$ BEGIN FOR i IN " + from + ".." + to +
                " LOOP INSERT INTO t VALUES (i, i, CASE WHEN i % 10 = 0 THEN repeat('v', 5000) END,"
                " '{\"a\": 1.0}', clock_timestamp()); INSERT INTO log VALUES (i % 7);"
                " UPDATE t SET n = n + 1 WHERE id = i - i % 10; COMMIT;"
                " IF i % 5 = 0 THEN DELETE FROM t WHERE id = i - 3; COMMIT; END IF;"
                " END LOOP; END $$");
  }
  void StreamEarly() {
    db_.clusters().blue().Connect().Exec("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
    db_.clusters().blue().Reload();
  }
  std::string SlotLsn() {
    return blue().Scalar(
        "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'pgteal'");
  }
  int BytesToDecodeAgain() {
    return std::stoi(
        blue().Scalar("SELECT confirmed_flush_lsn - restart_lsn FROM pg_replication_slots"
                      " WHERE slot_name = 'pgteal'"));
  }
  std::string CopiedSlots() {
    return blue().Scalar(
        "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pgteal_read_ahead%'");
  }
};

class ReadAheadVersions : public ReadAheadTest, public testing::WithParamInterface<Versions> {
 protected:
  ReadAheadVersions() : ReadAheadTest(GetParam()) {}
};

TEST_P(ReadAheadVersions, ABacklogThenTheStreamThatGoesOnWithIt) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Write(1, 3000);
  const auto process = Launch({"--read-ahead", "on"});
  ASSERT_TRUE(process->WaitForLog("the backlog has been read ahead")) << process->Log();
  Write(3001, 200);
  ASSERT_TRUE(db_.WaitCaughtUp()) << process->Log();
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(CopiedSlots(), "0");
  process->Terminate();
  EXPECT_EQ(process->WaitExit(), 130) << process->Log();
}

INSTANTIATE_TEST_SUITE_P(Pairs, ReadAheadVersions,
                         testing::Values(Versions{14, 15}, Versions{15, 18}, Versions{16, 17},
                                         Versions{18, 18}),
                         [](const auto& pair) {
                           return "From" + std::to_string(pair.param.blue) + "To" +
                                  std::to_string(pair.param.green);
                         });

TEST_F(ReadAheadTest, EndsAtAnLsnExactlyAndMovesTheSlot) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Write(1, 500);
  blue().Exec("INSERT INTO log VALUES (1000)");
  const std::string cut = blue().Scalar("SELECT pg_current_wal_insert_lsn()");
  blue().Exec("INSERT INTO log VALUES (1001)");
  ASSERT_EQ(Run({"--read-ahead", "on", "--until-lsn", cut}), 0) << Log();
  ExpectLogNames({"reading ahead"});
  EXPECT_EQ(green().Scalar("SELECT max(a) FROM log"), "1000");
  EXPECT_EQ(blue().Scalar("SELECT '" + SlotLsn() + "'::pg_lsn = '" + cut + "'::pg_lsn"), "t");
  ASSERT_NO_FATAL_FAILURE(Apply({"--read-ahead", "on"}));
  EXPECT_TRUE(db_.Equal());
}

// Else every later run would have blue decode the old backlog once more.
TEST_F(ReadAheadTest, ARunLetsBlueForgetWhatTheOneBeforeHasRead) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  // Blue lists its running transactions when it likes, too: then the stream has moved it.
  for (int i = 0; i < 5 && BytesToDecodeAgain() <= 16 << 20; ++i) {
    blue().Exec("INSERT INTO t(id, v) SELECT g, repeat('v', 2000) FROM generate_series(" +
                std::to_string(100000 * i + 100001) + ", " + std::to_string(100000 * i + 112000) +
                ") AS g");
    db_.clusters().blue().Connect().Exec("CHECKPOINT");
    ASSERT_NO_FATAL_FAILURE(Apply({"--read-ahead", "on"}));
  }
  ASSERT_GT(BytesToDecodeAgain(), 16 << 20);
  Write(20001, 10);
  ASSERT_NO_FATAL_FAILURE(Apply({"--read-ahead", "on"}));
  ExpectLogNames({"slot pgteal stood at restart_lsn"});
  EXPECT_LT(BytesToDecodeAgain(), 1 << 20);
  EXPECT_TRUE(db_.Equal());
}

// What a call returns of an open transaction comes again with the stream.
TEST_F(ReadAheadTest, ALargeTransactionThatIsStillOpenIsLeftToTheStream) {
  StreamEarly();
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Write(1, 200);
  blue().Exec("BEGIN; INSERT INTO log SELECT g FROM generate_series(1, 20000) AS g");
  Sql other(db_.BlueInfo());
  other.Exec("INSERT INTO t(id) SELECT g FROM generate_series(100001, 110000) AS g");
  const auto process = Launch({"--read-ahead", "on"});
  ASSERT_TRUE(process->WaitForLog("the backlog has been read ahead")) << process->Log();
  blue().Exec("INSERT INTO log SELECT g FROM generate_series(1, 5) AS g; COMMIT");
  ASSERT_TRUE(db_.WaitCaughtUp()) << process->Log();
  EXPECT_TRUE(db_.Equal());
  process->Terminate();
  EXPECT_EQ(process->WaitExit(), 130) << process->Log();
}

// Chunks end within it until one is large enough: what they have of it comes again with the next.
TEST_F(ReadAheadTest, ALargeTransactionOfTheBacklogIsReadAheadAsAWhole) {
  StreamEarly();
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Write(1, 200);
  blue().Exec("BEGIN; INSERT INTO log SELECT g FROM generate_series(1, 1000) AS g");
  Sql other(db_.BlueInfo());
  other.Exec(
      "INSERT INTO t(id, v) SELECT g, repeat('v', 400) FROM generate_series(100001, 140000) AS g");
  blue().Exec(
      "INSERT INTO t(id, v) SELECT g, repeat('v', 400) FROM generate_series(200001, 240000) AS g;"
      "COMMIT");
  Write(1001, 200);
  ASSERT_EQ(RunUntilCaughtUp({"--read-ahead", "on"}), 0) << Log();
  EXPECT_EQ(Log().find("streaming slot"), std::string::npos) << Log();
  EXPECT_TRUE(db_.Equal());
}

// The ring is full, lanes wait for a lock, and the chunk is only half read.
TEST_F(ReadAheadTest, IsEndedBySigtermAndByAKillAndLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec(
      "DO $$ BEGIN FOR i IN 1..8000 LOOP INSERT INTO t(id, v) VALUES (i, repeat('v', 10000));"
      " INSERT INTO log VALUES (i); COMMIT; END LOOP; END $$");
  green().Exec("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE");
  auto process = Launch();
  ASSERT_TRUE(process->WaitForLog("reading ahead")) << process->Log();
  Sql watcher(db_.GreenInfo());
  ASSERT_TRUE(WaitUntil(
      [&] { return watcher.Scalar("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == "t"; },
      std::chrono::seconds(30)));
  process->Terminate();
  EXPECT_EQ(process->WaitExit(std::chrono::seconds(40)), 130) << process->Log();
  process = Launch();
  ASSERT_TRUE(process->WaitForLog("reading ahead")) << process->Log();
  green().Exec("COMMIT");
  ASSERT_TRUE(WaitUntil(
      [&] { return watcher.Scalar("SELECT transactions > 0 FROM pgteal.progress") == "t"; },
      std::chrono::seconds(30)));
  process->Kill9();
  process->WaitExit();
  ASSERT_EQ(RunUntilCaughtUp(), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

// A status that stayed due while nothing is streamed kept the receiver running, on a core that
// green could have used.
TEST_F(ReadAheadTest, SleepsWhileTheLastOfTheBacklogIsApplied) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Write(1, 10);
  green().Exec("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE");
  const auto process = Launch({"--read-ahead", "on", "--until-caught-up"});
  Sql watcher(db_.GreenInfo());
  ASSERT_TRUE(WaitUntil(
      [&] { return watcher.Scalar("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == "t"; },
      std::chrono::seconds(30)));
  // Threads wake for a moment now and then.
  int calm = 0;
  EXPECT_TRUE(WaitUntil(
      [&] {
        calm = IsAsleep(process->pid()) ? calm + 1 : std::max(0, calm - 1);
        return calm == 50;
      },
      std::chrono::seconds(20)));
  green().Exec("COMMIT");
  EXPECT_EQ(process->WaitExit(std::chrono::seconds(30)), 0) << process->Log();
  EXPECT_TRUE(db_.Equal());
}

// A slot that is active can be copied: it is another's all the same.
TEST_F(ReadAheadTest, ASecondProcessWithABacklogWaitsForTheOneThatStreams) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const auto first = Launch();
  Write(1, 1);
  ASSERT_TRUE(db_.WaitCaughtUp()) << first->Log();
  const char* generation = "SELECT generation FROM pgteal.progress";
  const std::string before = green().Scalar(generation);
  Sql keeper(db_.GreenInfo());
  keeper.Exec("BEGIN; LOCK TABLE t IN SHARE MODE");
  Write(2, 100);
  const auto second = Launch({"--read-ahead", "on", "--until-caught-up"});
  ASSERT_TRUE(second->WaitForLog("slot pgteal is active for process")) << second->Log();
  EXPECT_EQ(green().Scalar(generation), before);
  keeper.Exec("ROLLBACK");
  ASSERT_TRUE(db_.WaitCaughtUp()) << first->Log();
  first->Terminate();
  EXPECT_EQ(first->WaitExit(), 130) << first->Log();
  EXPECT_EQ(second->WaitExit(std::chrono::seconds(60)), 0) << second->Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(ReadAheadTest, NobodyWorksBesideTheOneThatReadsAhead) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const Sql reader(db_.BlueInfo() + " application_name='pgteal read-ahead pgteal'");
  const auto refused = [this](const Args& args, const std::string& why) {
    const auto process = db_.Pgteal(args);
    EXPECT_EQ(process->WaitExit(std::chrono::seconds(60)), 3) << process->Log();
    EXPECT_THAT(process->Stdout() + process->Log(), testing::HasSubstr(why));
  };
  refused({"run", "--reload-table", "public.t"}, "another process streams from slot pgteal");
  refused({"cleanup"}, "slot pgteal is in use by process " + std::to_string(reader.backend_pid()));
  refused({"switchover"}, "the backlog of slot pgteal is still being read");
  const auto status = db_.Pgteal({"status"});
  EXPECT_EQ(status->WaitExit(std::chrono::seconds(60)), 0) << status->Log();
  EXPECT_THAT(status->Stdout(), testing::HasSubstr("active"));
}

TEST_F(ReadAheadTest, ASecondProcessWaitsForTheOneThatReadsAhead) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Write(1, 10);
  auto reader =
      std::make_optional<Sql>(db_.BlueInfo() + " application_name='pgteal read-ahead pgteal'");
  const auto process = Launch({"--until-caught-up"});
  ASSERT_TRUE(process->WaitForLog("read ahead by another process")) << process->Log();
  reader.reset();
  EXPECT_EQ(process->WaitExit(std::chrono::seconds(30)), 0) << process->Log();
  EXPECT_TRUE(db_.Equal());
}

// Servers of their own: the number of slots needs a restart.
TEST(ReadAheadSettings, WithoutAFreeSlotTheStreamDoesIt) {
  ClusterPair clusters(DefaultVersions(), {{"max_replication_slots", "1"}});
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE t(id int PRIMARY KEY, v text)");
  const std::vector<std::string> run = {"--log-level", "debug", "run",
                                        "--copy",      "none",  "--until-caught-up"};
  const auto begin = db.Pgteal(run);
  ASSERT_EQ(begin->WaitExit(), 0) << begin->Log();
  db.blue().Exec(
      "INSERT INTO t SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 120000) AS g");
  auto must = run;
  must.insert(must.end(), {"--read-ahead", "on"});
  const auto refused = db.Pgteal(must);
  EXPECT_NE(refused->WaitExit(), 0);
  EXPECT_THAT(refused->Log(), testing::HasSubstr("replication slots"));
  const auto streamed = db.Pgteal(run);
  EXPECT_EQ(streamed->WaitExit(), 0) << streamed->Log();
  EXPECT_THAT(streamed->Log(), testing::HasSubstr("the backlog is not read ahead"));
  EXPECT_TRUE(db.Equal());
}

// A result is more than blue may write to temporary files: it would be refused again and again.
TEST(ReadAheadSettings, WhatBlueHasNoRoomForIsStreamed) {
  ClusterPair clusters(DefaultVersions(), {{"temp_file_limit", "1MB"}});
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE t(id int PRIMARY KEY, v text)");
  const std::vector<std::string> run = {"run", "--copy", "none", "--until-caught-up"};
  const auto begin = db.Pgteal(run);
  ASSERT_EQ(begin->WaitExit(), 0) << begin->Log();
  db.blue().Exec("INSERT INTO t SELECT g, repeat('v', 2000) FROM generate_series(1, 30000) AS g");
  auto ahead = run;
  ahead.insert(ahead.end(), {"--read-ahead", "on"});
  const auto process = db.Pgteal(ahead);
  EXPECT_EQ(process->WaitExit(std::chrono::seconds(60)), 0) << process->Log();
  EXPECT_THAT(process->Log(), testing::HasSubstr("temp_file_limit"));
  EXPECT_TRUE(db.Equal());
}

}  // namespace
}  // namespace pgteal::tests
