#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// Blue waits for pgteal at every commit, as for a standby. Green writes its log late.
class Synchronous : public testing::Test {
 protected:
  Synchronous()
      : clusters_(DefaultVersions(), {}, {{"wal_writer_delay", "1s"}, {"fsync", "on"}}),
        db_(clusters_) {
    db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
    run_ = Start();
    clusters_.blue().Set("synchronous_standby_names", "\"pgteal stream pgteal\"");
    clusters_.blue().Reload();
    const auto is_synchronous = [this] {
      return db_.blue().Scalar("SELECT sync_state FROM pg_stat_replication") == "sync";
    };
    EXPECT_TRUE(WaitUntil(is_synchronous, seconds(30)));
    AwaitWaitingCommits();
  }
  void TearDown() override {
    clusters_.blue().Set("synchronous_standby_names", "");
    clusters_.blue().Reload();
  }
  std::unique_ptr<PgtealProcess> Start() {
    auto run = db_.Pgteal({"--log-level", "debug", "run", "--copy", "none"});
    EXPECT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
    return run;
  }
  // What a walsender says of itself is not all: commits wait only once blue's checkpointer has read
  // the setting, too. Green is held up, so that one which waits can be seen.
  void AwaitWaitingCommits() {
    Sql keeper = db_.GreenWriter();
    keeper.Exec("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE");
    Sql client(db_.BlueInfo());
    Sql looker(db_.BlueInfo());
    bool waits = false;
    for (int id = 1; !waits && id <= 1000; ++id) {
      const std::string row = std::to_string(-id);
      client.Send("INSERT INTO t VALUES (" + row + ")");
      ASSERT_TRUE(WaitUntil(
          [&] {
            waits = IsWaiting(looker, client.backend_pid());
            return waits || looker.Scalar("SELECT count(*) FROM t WHERE id = " + row) == "1";
          },
          seconds(30)));
      if (!waits) client.Finish();
    }
    ASSERT_TRUE(waits);
    keeper.Exec("ROLLBACK");
    client.Finish();
  }
  static bool IsWaiting(Sql& sql, int pid) {
    return sql.Scalar(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND"
               " pid = " +
               std::to_string(pid)) == "1";
  }

  ClusterPair clusters_;
  DatabasePair db_;
  std::unique_ptr<PgtealProcess> run_;
};

TEST_F(Synchronous, ACommitThatReturnedOnBlueSurvivesGreensCrash) {
  for (int id = 1; id <= 2; ++id) {
    db_.blue().Exec("INSERT INTO t VALUES (" + std::to_string(id) + ")");
    clusters_.green().Stop(PgCluster::StopMode::kImmediate);
    clusters_.green().Start();
    EXPECT_EQ(db_.green().Scalar("SELECT max(id) FROM t"), std::to_string(id));
  }
}

TEST_F(Synchronous, ACommitWaitsUntilAStoppedPgtealIsBack) {
  run_->Terminate();
  EXPECT_EQ(run_->WaitExit(), 130) << run_->Log();
  Sql client(db_.BlueInfo());
  const auto pid = client.backend_pid();
  client.Send("INSERT INTO t VALUES (1)");
  Sql looker = clusters_.blue().Connect();
  ASSERT_TRUE(WaitUntil([&] { return IsWaiting(looker, pid); }, seconds(30)));
  // What pgteal itself commits on blue before it streams waits for nobody.
  run_ = db_.Pgteal({"--log-level", "debug", "run", "--copy", "none", "--until-caught-up"});
  EXPECT_EQ(run_->WaitExit(seconds(20)), 0) << run_->Log();
  client.Finish();
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM t WHERE id > 0"), "1");
}

}  // namespace
}  // namespace pgteal::tests
