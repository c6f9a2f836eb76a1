#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "tests/fault/fault_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Lanes commit in order, so a lane that waits for a lock of a later one waits for ever unless the
// later one gives way. And strangers on green hold locks, too.
class Lock : public FaultTest {
 protected:
  void Run() {
    pgteal_ = Start();
    ASSERT_TRUE(pgteal_->WaitForLog("streaming slot="));
    ASSERT_TRUE(WaitProgress());
  }
  void ExpectAllArrived() {
    ASSERT_TRUE(WaitProgress());
    workload_.Stop();
    ExpectArrived();
    EXPECT_TRUE(pgteal_->IsRunning());
  }
  // A lane waits for a lock that session holds.
  [[nodiscard]] bool WaitForWaiter(const Sql& session) {
    const std::string question =
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'pgteal lane %'"
        " AND " +
        std::to_string(session.backend_pid()) + " = ANY (pg_blocking_pids(pid))";
    return WaitUntil([&] { return db_.green().Scalar(question) == "t"; }, seconds(20));
  }

  Workload workload_{db_.BlueInfo()};
  std::unique_ptr<PgtealProcess> pgteal_;
};

class LockOrder : public FaultTest {
 protected:
  [[nodiscard]] bool WaitGreen(const std::string& question) {
    return WaitUntil([&] { return db_.green().Scalar(question) == "t"; }, seconds(20));
  }
  static std::string IsWaiting(const Sql& session) {
    return "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = " +
           std::to_string(session.backend_pid());
  }
};

// The first batch waits for a stranger that waits for the second batch, which waits for the first
// one's commit: the server sees no circle.
TEST_F(LockOrder, ALaterLaneGivesWayToAnEarlierOneBehindAStranger) {
  db_.ExecBoth("CREATE TABLE one(id int PRIMARY KEY, v int); CREATE TABLE two(id int PRIMARY KEY)");
  db_.blue().Exec("INSERT INTO one VALUES (1, 0)");
  const auto pgteal = db_.Pgteal(
      {"--log-level", "debug", "run", "--copy", "none", "--lanes", "2", "--batch-rows", "1"});
  ASSERT_TRUE(pgteal->WaitForLog("streaming slot="));
  ASSERT_TRUE(db_.WaitCaughtUp());
  Sql holder = db_.GreenWriter();
  holder.Exec("BEGIN; SELECT * FROM one FOR UPDATE");
  // Large enough not to be applied by the batcher, which would give nothing to the other lane.
  db_.blue().Exec("UPDATE one SET v = 1; INSERT INTO two SELECT generate_series(100, 199)");
  EXPECT_TRUE(
      WaitGreen("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"));
  db_.blue().Exec("INSERT INTO two VALUES (2)");
  EXPECT_TRUE(WaitGreen(
      "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'two'::regclass AND granted AND mode = "
      "'RowExclusiveLock'"));
  Sql stranger = db_.GreenWriter();
  stranger.Send("BEGIN; LOCK TABLE two; COMMIT");
  EXPECT_TRUE(WaitGreen(IsWaiting(stranger)));
  holder.Exec("ROLLBACK");
  stranger.Finish();
  ExpectArrived(seconds(10));
  EXPECT_TRUE(pgteal->WaitForLog("gives way", milliseconds(0)));
  EXPECT_TRUE(pgteal->IsRunning());
}

// The batcher itself waits for green then.
TEST_F(LockOrder, ALoneTransactionBehindALockNeitherHoldsUpTheEndNorIsLost) {
  db_.ExecBoth("CREATE TABLE one(id int PRIMARY KEY, v int)");
  db_.blue().Exec("INSERT INTO one VALUES (1, 0)");
  const auto start = [&] { return db_.Pgteal({"run", "--copy", "none"}); };
  auto pgteal = start();
  ASSERT_TRUE(pgteal->WaitForLog("streaming slot="));
  ASSERT_TRUE(db_.WaitCaughtUp());
  Sql holder = db_.GreenWriter();
  holder.Exec("BEGIN; SELECT * FROM one FOR UPDATE");
  db_.blue().Exec("UPDATE one SET v = 1");
  const char* waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  EXPECT_TRUE(WaitGreen(waits));
  db_.blue().Exec("INSERT INTO one SELECT g, g FROM generate_series(2, 1000) g");
  pgteal->Signal(SIGINT);
  EXPECT_EQ(pgteal->WaitExit(seconds(20)), 130) << pgteal->Log();
  EXPECT_TRUE(
      WaitGreen("SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"));

  pgteal = start();
  EXPECT_TRUE(WaitGreen(waits));
  holder.Exec("ROLLBACK");
  ExpectArrived(seconds(20));
  EXPECT_TRUE(pgteal->IsRunning());
}

TEST_F(Lock, StrangersQueueUpBetweenTheLanes) {
  Run();
  Sql stranger = db_.GreenWriter();
  for (int i = 0; i < 40 && !HasFailure(); ++i) {
    // Granted once those before it have ended; the lanes behind it wait.
    const std::string table = i % 2 == 0 ? "accounts" : "keyed";
    EXPECT_EQ(stranger.Failure("BEGIN; LOCK TABLE " + table + "; COMMIT"), "");
    ExpectRunsFor(*pgteal_, 0, 100);
  }
  ExpectAllArrived();
}

TEST_F(Lock, TriggersOnGreenThatLetAllLanesWriteOneRow) {
  db_.green().Exec(R"(
      CREATE TABLE counts(id int PRIMARY KEY, n bigint);
      INSERT INTO counts VALUES (1, 0);
      CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE public.counts SET n = n + 1 WHERE id = 1; RETURN NULL; END $$;
      CREATE TRIGGER count_it AFTER INSERT OR UPDATE OR DELETE ON accounts
        FOR EACH ROW EXECUTE FUNCTION count_it();
      CREATE TRIGGER count_it AFTER INSERT OR UPDATE OR DELETE ON keyed
        FOR EACH ROW EXECUTE FUNCTION count_it();
      ALTER TABLE accounts ENABLE ALWAYS TRIGGER count_it;
      ALTER TABLE keyed ENABLE REPLICA TRIGGER count_it)");
  Run();
  ExpectRunsFor(*pgteal_, 5000, 6000);
  ExpectAllArrived();
  EXPECT_NE(db_.green().Scalar("SELECT n FROM counts"), "0");
}

TEST_F(Lock, AnIndexThatOnlyGreenHasMakesLanesWaitForEachOther) {
  // Values that differ on blue but meet in green's index while both are on their way.
  db_.green().Exec(
      "CREATE UNIQUE INDEX ON keyed (b, a); CREATE UNIQUE INDEX ON documents ((id / 1), id)");
  Run();
  ExpectRunsFor(*pgteal_, 3000, 4000);
  ExpectAllArrived();
}

TEST_F(Lock, StrangersLockRowsAndTablesOfGreen) {
  Run();
  Sql stranger = db_.GreenWriter();
  for (const char* const lock :
       {"SELECT * FROM accounts WHERE id <= 5 FOR UPDATE", "SELECT * FROM documents FOR UPDATE",
        "LOCK TABLE log IN ACCESS EXCLUSIVE MODE", "LOCK TABLE two_unique IN SHARE MODE",
        "LOCK TABLE accounts, keyed, full_rows, log IN ACCESS EXCLUSIVE MODE",
        "SELECT * FROM pgteal.progress FOR UPDATE"}) {
    ASSERT_NO_FATAL_FAILURE(BeginWith(stranger, lock));
    EXPECT_TRUE(WaitForWaiter(stranger)) << lock;
    ExpectRunsFor(*pgteal_, 300, 900);
    stranger.Exec("ROLLBACK");
    ASSERT_TRUE(WaitProgress()) << lock;
    EXPECT_TRUE(Workload::IsConsistent(db_.green()));
  }
  ExpectAllArrived();
}

TEST_F(Lock, DeadlocksWithStrangersAreSettledWhoeverIsTheVictim) {
  Run();
  Sql stranger = db_.GreenWriter();
  for (int i = 0; i < 6 && !HasFailure(); ++i) {
    // Long or short: the one whose patience ends first finds the deadlock and is rolled back.
    stranger.Exec(std::string("SET deadlock_timeout = ") + (i % 2 == 0 ? "'20s'" : "'10ms'"));
    ASSERT_NO_FATAL_FAILURE(BeginWith(stranger, "SELECT * FROM documents FOR UPDATE"));
    EXPECT_TRUE(WaitForWaiter(stranger));
    stranger.Failure("SELECT * FROM accounts FOR UPDATE; LOCK TABLE log, keyed, full_rows");
    stranger.Exec("ROLLBACK");
    ASSERT_TRUE(WaitProgress());
  }
  ExpectAllArrived();
}

TEST_F(Lock, GreenIsReindexedAndRewrittenMeanwhile) {
  Run();
  Sql keeper = db_.GreenWriter();
  for (const char* const work :
       {"VACUUM FULL accounts", "REINDEX TABLE keyed", "CLUSTER documents USING documents_pkey",
        "ALTER TABLE accounts ALTER balance TYPE numeric", "REINDEX TABLE CONCURRENTLY two_unique",
        "ALTER TABLE log ADD COLUMN green_only int DEFAULT 7"}) {
    EXPECT_EQ(keeper.Failure(work), "") << work;
    ASSERT_TRUE(WaitProgress()) << work;
  }
  ExpectAllArrived();
}

}  // namespace
}  // namespace pgteal::tests
