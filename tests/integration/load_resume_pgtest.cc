#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/gate.h"
#include "tests/support/wait.h"
#include "tests/support/workload.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LoadResume : public PairTest {
 protected:
  using Args = std::vector<std::string>;

  // Two tables on both sides, rows on blue alone. `a` is the larger one and is copied first.
  void MakeTables() {
    ExecBoth(
        "CREATE TABLE a (id int PRIMARY KEY, t text, n int);"
        "CREATE TABLE b (id int PRIMARY KEY, t text, n int)");
    blue().Exec(
        "INSERT INTO a SELECT g, repeat('x', 200), 0 FROM generate_series(1, 5000) g;"
        "INSERT INTO b SELECT g, 'b', 0 FROM generate_series(1, 100) g;");
  }
  // Runs a load that cannot write `b` and returns it once `a` is copied.
  std::unique_ptr<PgtealProcess> RunUntilBIsLeft(Sql& holder) {
    holder.Exec("BEGIN; LOCK TABLE b IN ACCESS SHARE MODE");
    auto run = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
    EXPECT_TRUE(run->WaitForLog("table public.a copied"));
    return run;
  }
  void ExpectLoadedAndEqual(PgtealProcess& run) {
    ASSERT_TRUE(run.WaitForLog("sequences set", seconds(60)));
    ExpectCaughtUpAndEqual();
  }
  void ExpectCaughtUpAndEqual() {
    // Something to wait for: the stream may begin where blue stands.
    blue().Exec("SELECT pg_logical_emit_message(true, 'test', 'mark')");
    ASSERT_TRUE(db_.WaitCaughtUp(seconds(60)));
    EXPECT_TRUE(db_.Equal());
  }
  // Somebody waits to empty it on green.
  [[nodiscard]] bool WaitForLockOf(const std::string& table) {
    const std::string waiters =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" + table + "'::regclass";
    return WaitUntil([&] { return green().Scalar(waiters) != "0"; }, seconds(30));
  }
  std::string State(const std::string& table) {
    return green().Scalar("SELECT phase FROM pgteal.table_state WHERE table_name = '" + table +
                          "'");
  }
};

TEST_F(LoadResume, TablesThatAreCopiedKeepTheirRowsAndOthersAreCopiedFromALaterSnapshot) {
  MakeTables();
  Sql holder = db_.clusters().green().Connect(db_.name());
  auto run = RunUntilBIsLeft(holder);
  run->Kill9();
  holder.Exec("ROLLBACK");
  EXPECT_EQ(State("a"), "copied");

  // All of it lies between the two snapshots: it is for `a` and not for `b`.
  blue().Exec("BEGIN; UPDATE a SET n = n + 1; UPDATE b SET n = n + 1; COMMIT");
  blue().Exec("BEGIN; DELETE FROM a WHERE id < 10; DELETE FROM b WHERE id < 10; COMMIT");
  blue().Exec("TRUNCATE a, b");
  blue().Exec(
      "INSERT INTO a SELECT g, 'new', 0 FROM generate_series(1, 50) g;"
      "INSERT INTO b SELECT g, 'new', 0 FROM generate_series(1, 50) g");
  run = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ASSERT_TRUE(run->WaitForLog("table public.b copied rows=50"));
  blue().Exec("UPDATE a SET n = n + 1; UPDATE b SET n = n + 1; INSERT INTO b VALUES (51, 'y', 7)");
  ExpectLoadedAndEqual(*run);
  EXPECT_EQ(run->Log().find("table public.a copied"), std::string::npos);
  EXPECT_EQ(State("b"), "ready");
}

TEST_F(LoadResume, AStopInTheMiddleIsCleanAndTheSameCommandGoesOn) {
  MakeTables();
  Sql holder = db_.clusters().green().Connect(db_.name());
  auto run = RunUntilBIsLeft(holder);
  run->Terminate();
  EXPECT_EQ(run->WaitExit(), 130);
  holder.Exec("ROLLBACK");
  const auto other_mode = db_.Pgteal({"run", "--copy", "none"});
  EXPECT_EQ(other_mode->WaitExit(), 3);
  run = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ExpectLoadedAndEqual(*run);
}

// A slot waits for the transactions that write: the operator may change their mind meanwhile.
TEST_F(LoadResume, AStopWhileTheSlotWaitsIsCleanAndTheSameCommandGoesOn) {
  MakeTables();
  Sql writer = db_.clusters().blue().Connect(db_.name());
  writer.Exec("BEGIN; UPDATE b SET n = 1");
  for (const char* mode : {"none", "data"}) {
    const auto stopped = db_.Pgteal({"run", "--copy", mode});
    ASSERT_TRUE(stopped->WaitForLog("creating slot"));
    stopped->Terminate();
    EXPECT_EQ(stopped->WaitExit(), 130) << mode;
    EXPECT_TRUE(WaitUntil(
        [this] {
          return blue().Scalar(
                     "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE"
                     " 'pgteal%'") == "0";
        },
        seconds(20)))
        << "nobody waits for the writer any more";
  }
  writer.Exec("COMMIT");
  const auto run = db_.Pgteal({"run", "--copy", "data"});
  ExpectLoadedAndEqual(*run);
}

TEST_F(LoadResume, OneTableOfARunningDeploymentIsReloaded) {
  MakeTables();
  auto run = db_.Pgteal({"run", "--copy", "data"});
  ExpectLoadedAndEqual(*run);
  const auto refused = db_.Pgteal({"run", "--copy", "data", "--reload-table", "b"});
  EXPECT_EQ(refused->WaitExit(), 3);
  run->Terminate();
  ASSERT_EQ(run->WaitExit(), 130);

  const auto unknown =
      db_.Pgteal({"run", "--copy", "data", "--reload-table", "b", "--reload-table", "public.bb"});
  EXPECT_EQ(unknown->WaitExit(), 2);
  EXPECT_NE(unknown->Log().find("--reload-table public.bb"), std::string::npos);

  green().Exec("SET default_transaction_read_only = off; DELETE FROM b WHERE id > 50");
  blue().Exec("UPDATE a SET n = n + 1; UPDATE b SET n = n + 1 WHERE id > 40");
  run = db_.Pgteal({"run", "--copy", "data", "--reload-table", "b"});
  ASSERT_TRUE(run->WaitForLog("table public.b copied rows=100"));
  blue().Exec("UPDATE b SET n = n + 1");
  ExpectCaughtUpAndEqual();
  EXPECT_EQ(run->Log().find("table public.a copied"), std::string::npos);
}

TEST_F(LoadResume, ASecondRunWaitsUntilAReloadIsDone) {
  MakeTables();
  auto run = db_.Pgteal({"run", "--copy", "data"});
  ExpectLoadedAndEqual(*run);
  run->Terminate();
  ASSERT_EQ(run->WaitExit(), 130);

  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE");
  const Args reload = {"run",    "--copy", "data",           "--jobs", "1", "--reload-table",
                       "public.a", "--reload-table", "public.b"};
  run = db_.Pgteal(reload);
  ASSERT_TRUE(WaitForLockOf("a"));
  const auto second = db_.Pgteal({"run", "--copy", "data"});
  EXPECT_TRUE(second->WaitForLog("waiting for slot pgteal: process", seconds(10)))
      << second->Log();
  const auto third = db_.Pgteal(reload);
  EXPECT_EQ(third->WaitExit(), 3) << third->Log();
  // Behind the snapshot of the reload.
  blue().Exec("UPDATE b SET n = 1");
  holder.Exec("ROLLBACK");
  ASSERT_TRUE(run->WaitForLog("table public.b copied rows=100"));
  ExpectCaughtUpAndEqual();
  EXPECT_TRUE(second->IsRunning());
}

// On a machine that has stalled; its socket holds what blue has sent, and it has not heard that
// blue gave it up.
TEST_F(LoadResume, AFormerRunThatWakesDuringAReloadDoesNotWriteOnTopOfTheCopy) {
  MakeTables();
  Gate gate(db_.clusters().blue());
  const auto former = db_.PgtealVia(gate.ConnInfo(db_.name()), "", {"run", "--copy", "data"});
  ASSERT_TRUE(former->WaitForLog("streaming slot"));
  blue().Exec("UPDATE b SET t = 'read' WHERE id = 1");
  ExpectCaughtUpAndEqual();
  former->Signal(SIGSTOP);
  const uint64_t passed = gate.bytes_to_client();
  blue().Exec("UPDATE b SET t = 'sent' WHERE id = 1");
  ASSERT_TRUE(WaitUntil([&] { return gate.bytes_to_client() > passed; }, seconds(30)));
  gate.Stop();
  blue().Exec(
      "UPDATE b SET t = 'later' WHERE id = 1;"
      "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots"
      " WHERE slot_name = 'pgteal'");

  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE");
  const auto run = db_.Pgteal({"run", "--copy", "data", "--jobs", "2", "--reload-table", "a",
                               "--reload-table", "b"});
  ASSERT_TRUE(run->WaitForLog("table public.b copied rows=100")) << run->Log();
  former->Signal(SIGCONT);
  const auto has_acted = [&] {
    return former->Log().find("session ended") != std::string::npos ||
           green().Scalar("SELECT t FROM b WHERE id = 1") == "sent";
  };
  EXPECT_TRUE(WaitUntil(has_acted, seconds(30))) << former->Log();
  gate.Pass();
  holder.Exec("ROLLBACK");
  ASSERT_TRUE(run->WaitForLog("streaming slot"));
  ExpectCaughtUpAndEqual();
  EXPECT_EQ(former->WaitExit(), 3) << former->Log();
}

TEST_F(LoadResume, TwentyKillsAtRandomPointsAndTheLoadIsExact) {
  Workload::CreateTables(db_);
  blue().Exec(
      "CREATE TABLE big (id int PRIMARY KEY, t text); CREATE INDEX ON big (t);"
      "CREATE TABLE refs (id int PRIMARY KEY, big_id int REFERENCES big (id));"
      "INSERT INTO big SELECT g, md5(g::text) FROM generate_series(1, 60000) g;"
      "INSERT INTO refs SELECT g, g FROM generate_series(1, 20000) g");
  green().Exec(
      "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind IN ('r', "
      "'p')"
      " AND NOT relispartition AND relnamespace = 'public'::regnamespace LOOP"
      " EXECUTE 'DROP TABLE ' || t || ' CASCADE'; END LOOP; END $$");
  Workload workload(db_.BlueInfo(), {.pace = milliseconds(10)});
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  int kills = 0;
  while (kills < 20) {
    const auto run = db_.Pgteal({"run", "--jobs", "2"});
    const milliseconds life(200 + random() % 1500);
    if (WaitUntil([&] { return !run->IsRunning(); }, life)) {
      FAIL() << "ended by itself, seed " << seed << "\n" << run->Log();
    }
    run->Kill9();
    ++kills;
  }
  const auto run = db_.Pgteal({"run", "--jobs", "2"});
  ASSERT_TRUE(run->WaitForLog("streaming slot", seconds(60)));
  workload.Stop();
  ExpectCaughtUpAndEqual();
  EXPECT_TRUE(Workload::IsConsistent(green()));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
  const auto is_streaming = [&] {
    return green().Scalar("SELECT state FROM pgteal.deployment") == "streaming";
  };
  EXPECT_TRUE(WaitUntil(is_streaming, seconds(30)));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pg_constraint WHERE NOT convalidated"), "0");
}

TEST(LoadServers, AnEndOfEitherServerEndsTheLoadAndTheSameCommandGoesOn) {
  ClusterPair clusters;
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE a (id int PRIMARY KEY, t text); CREATE TABLE b (id int PRIMARY KEY)");
  db.blue().Exec(
      "INSERT INTO a SELECT g, repeat('x', 300) FROM generate_series(1, 5000) g;"
      "INSERT INTO b SELECT generate_series(1, 10)");
  for (PgCluster* victim : {&clusters.green(), &clusters.blue()}) {
    Sql holder = clusters.green().Connect(db.name());
    holder.Exec("BEGIN; LOCK TABLE b IN ACCESS SHARE MODE");
    const auto run = db.Pgteal({"run", "--copy", "data", "--jobs", "1"});
    const auto waits = [&] {
      return db.green().Scalar(
                 "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'b'::regclass") ==
             "1";
    };
    ASSERT_TRUE(WaitUntil(waits, seconds(30)));
    victim->Stop(PgCluster::StopMode::kImmediate);
    if (victim == &clusters.blue()) holder.Exec("ROLLBACK");
    EXPECT_EQ(run->WaitExit(), 1);
    victim->Start();
  }
  const auto run = db.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  db.blue().Exec("UPDATE b SET id = id + 100");
  ASSERT_TRUE(db.WaitCaughtUp());
  EXPECT_TRUE(db.Equal());
}

}  // namespace
}  // namespace pgteal::tests
