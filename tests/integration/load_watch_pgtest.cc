#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::ContainsRegex;
using testing::HasSubstr;

// A blue that keeps little WAL for a slot, and a load held up by a lock on green.
class LoadWatch : public testing::Test {
 protected:
  LoadWatch()
      : clusters_(DefaultVersions(), {{"max_slot_wal_keep_size", "64MB"},
                                      {"max_wal_size", "32MB"},
                                      {"min_wal_size", "32MB"}}),
        db_(clusters_),
        holder_((db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)"), db_.GreenInfo())) {
    db_.blue().Exec("INSERT INTO t SELECT generate_series(1, 100); CREATE TABLE noise (t text)");
    db_.green().Exec("CREATE TABLE noise (t text)");
    db_.blue().Exec("CREATE PUBLICATION pgteal FOR TABLE t");
    holder_.Exec("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
  }
  std::unique_ptr<PgtealProcess> RunHeldUp() {
    auto run = db_.Pgteal({"run", "--copy", "data"});
    EXPECT_TRUE(run->WaitForLog("green prepared"));
    return run;
  }
  void WriteWal() {
    db_.blue().Exec("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
  }
  void LoseSlot() {
    const auto is_lost = [this] {
      WriteWal();
      db_.blue().Exec("CHECKPOINT");
      return db_.blue().Scalar("SELECT wal_status FROM pg_replication_slots") == "lost";
    };
    ASSERT_TRUE(WaitUntil(is_lost, seconds(60)));
  }

  ClusterPair clusters_;
  DatabasePair db_;
  Sql holder_;
};

TEST_F(LoadWatch, TheTimeLeftIsToldBeforeBlueGivesUpTheSlot) {
  const auto run = RunHeldUp();
  // Slowly: far from the limit when it is told.
  const auto is_told = [&] {
    db_.blue().Exec("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 1000))");
    return run->Log().find("at this rate in") != std::string::npos;
  };
  ASSERT_TRUE(WaitUntil(is_told, seconds(60)));
  EXPECT_THAT(
      run->Log(),
      ContainsRegex("blue keeps [0-9]+ MB of WAL for slot pgteal \\(wal_status [a-z]+\\) and "
                    "gives up after [0-9]+ MB more, at this rate in [0-9.]+ "
                    "(seconds|minutes|hours): raise max_slot_wal_keep_size"));
  // It ends well if the load ends in time.
  holder_.Exec("ROLLBACK");
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  ASSERT_TRUE(db_.WaitCaughtUp());
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM t"), "100");
}

TEST_F(LoadWatch, ALostSlotEndsTheLoadAtOnceAndForGood) {
  auto run = RunHeldUp();
  LoseSlot();
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("slot pgteal was invalidated by blue"));
  EXPECT_THAT(run->Log(), HasSubstr("run `pgteal cleanup` and begin anew"));
  holder_.Exec("ROLLBACK");
  run = db_.Pgteal({"run", "--copy", "data"});
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("slot pgteal was invalidated by blue"));
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM t"), "0");
  // The way out that was named.
  const auto cleanup = db_.Pgteal({"cleanup"});
  EXPECT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  db_.blue().Exec("DROP PUBLICATION IF EXISTS pgteal; CREATE PUBLICATION pgteal FOR TABLE t");
  run = db_.Pgteal({"run", "--copy", "data"});
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM t"), "100");
}

TEST_F(LoadWatch, ASlotThatSomebodyDropsEndsTheLoad) {
  const auto run = RunHeldUp();
  db_.blue().Exec("SELECT pg_drop_replication_slot('pgteal')");
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("slot pgteal has been dropped on blue"));
}

// What every verb says of a slot that blue has given up, and that nobody makes another one.
void ExpectSlotIsToldLost(DatabasePair& db, const std::string& reason, const std::string& setting) {
  const auto run = db.Pgteal({"run", "--copy", "none"});
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("slot pgteal was invalidated by blue (" + reason + ")"));
  EXPECT_THAT(run->Log(), HasSubstr(setting + " on blue, run `pgteal cleanup` and begin anew"));
  const auto status = db.Pgteal({"status"});
  EXPECT_EQ(status->WaitExit(), 0) << status->Log();
  EXPECT_THAT(status->Stdout(), HasSubstr("idle, WAL lost"));
  const auto check = db.Pgteal({"check", "--only", "H1"});
  EXPECT_EQ(check->WaitExit(), 3) << check->Log();
  EXPECT_THAT(check->Stdout(), HasSubstr("slot pgteal is lost: "));
  EXPECT_THAT(check->Stdout(), HasSubstr("pgteal cleanup, and begin anew"));
  EXPECT_EQ(db.blue().Scalar("SELECT wal_status FROM pg_replication_slots"), "lost");
}

// It reads, and cannot say that anything is durable.
TEST_F(LoadWatch, AStreamThatLosesItsSlotEndsForGood) {
  db_.blue().Exec("TRUNCATE t");
  const auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming slot="));
  holder_.Exec("LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  db_.blue().Exec("INSERT INTO t VALUES (1)");
  LoseSlot();
  holder_.Exec("ROLLBACK");
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("slot pgteal was invalidated by blue (wal_removed)"));
  ExpectSlotIsToldLost(db_, "wal_removed", "max_slot_wal_keep_size");
}

TEST(IdleSlot, ThatBlueHasGivenUpIsToldSo) {
  ClusterPair clusters({.blue = 18, .green = 18}, {{"idle_replication_slot_timeout", "1s"}});
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const auto prepared = db.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(prepared->WaitExit(), 0) << prepared->Log();
  const auto is_lost = [&db] {
    db.blue().Exec("CHECKPOINT");
    return db.blue().Scalar("SELECT wal_status FROM pg_replication_slots") == "lost";
  };
  ASSERT_TRUE(WaitUntil(is_lost, seconds(30)));
  ExpectSlotIsToldLost(db, "idle_timeout", "idle_replication_slot_timeout");
}

}  // namespace
}  // namespace pgteal::tests
