#include <gtest/gtest.h>
#include <sys/types.h>

#include <csignal>
#include <memory>
#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/gate.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// The network to green is cut while a lane's COMMIT is on its way or at work, and the lane's
// backend, on a machine that has stalled, takes no notice of it.
class Zombie : public testing::Test {
 protected:
  Zombie() : db_(clusters_), gate_(clusters_.green()) {
    db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, note text)");
    pgteal_ = db_.PgtealVia(
        "", gate_.ConnInfo(db_.name()),
        {"--log-level", "debug", "run", "--copy", "none", "--lanes", "1", "--synchronous-commit"});
    EXPECT_TRUE(pgteal_->WaitForLog("streaming slot=")) << pgteal_->Log();
    db_.blue().Exec("INSERT INTO t VALUES (1, 0)");
    EXPECT_TRUE(db_.WaitCaughtUp()) << pgteal_->Log();
  }
  ~Zombie() override {
    if (stopped_ != 0) kill(stopped_, SIGCONT);
  }

  std::string Lane(const std::string& condition = "true") {
    const auto rows = db_.green().Query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgteal lane pgteal' AND " +
        condition + " ORDER BY backend_start LIMIT 1");
    return rows.empty() ? "" : rows[0][0];
  }
  void StopLane(const std::string& pid) {
    ASSERT_NE(pid, "");
    stopped_ = static_cast<pid_t>(std::stoi(pid));
    ASSERT_EQ(kill(stopped_, SIGSTOP), 0);
  }
  void LetGo() {
    kill(stopped_, SIGCONT);
    const auto pid = std::to_string(stopped_);
    EXPECT_TRUE(WaitUntil(
        [&] {
          return db_.green().Scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) ==
                 "0";
        },
        seconds(30)));
    stopped_ = 0;
  }
  [[nodiscard]] bool WaitForTarget(const std::string& condition) {
    const std::string question =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgteal target%' AND " +
        condition;
    return WaitUntil([&] { return db_.green().Scalar(question) != "0"; }, seconds(30));
  }
  // Each row once, each count as blue has it, and the stream goes on.
  void ExpectNothingLostOrDoubled() {
    db_.blue().Exec("INSERT INTO t VALUES (-1, 0); UPDATE t SET n = n + 1");
    ASSERT_TRUE(db_.WaitCaughtUp(seconds(60))) << pgteal_->Log();
    EXPECT_TRUE(db_.Equal());
    EXPECT_TRUE(pgteal_->IsRunning());
  }

  ClusterPair clusters_;
  DatabasePair db_;
  Gate gate_;
  std::unique_ptr<PgtealProcess> pgteal_;
  pid_t stopped_ = 0;
};

// The commit is in green's log, but nobody can see it before its backend says so: a wait for a
// standby stands for any other reason.
TEST_F(Zombie, ACommitThatIsDoneAndCannotBeSeenYetIsWaitedFor) {
  clusters_.green().Set("synchronous_standby_names", "nobody");
  clusters_.green().Reload();
  // Some may commit before the checkpointer has made the setting known.
  std::string pid;
  const auto waits = [&] {
    db_.blue().Exec("INSERT INTO t SELECT max(id) + 1, 0 FROM t");
    pid = Lane("wait_event = 'SyncRep'");
    return !pid.empty();
  };
  ASSERT_TRUE(WaitUntil(waits, seconds(30)));
  const std::string xid =
      db_.green().Scalar("SELECT backend_xid FROM pg_stat_activity WHERE pid = " + pid);
  ASSERT_NO_FATAL_FAILURE(StopLane(pid));
  clusters_.green().Set("synchronous_standby_names", "");
  clusters_.green().Reload();
  gate_.CutNow();
  // Whoever takes over stands behind it, though it was told to end.
  ASSERT_TRUE(WaitForTarget(pid + " = ANY(pg_blocking_pids(pid))")) << pgteal_->Log();
  LetGo();
  ExpectNothingLostOrDoubled();
  EXPECT_EQ(db_.green().Scalar("SELECT pg_xact_status('" + xid + "')"), "committed");
}

// Nothing of the transaction is at work when the backend is stopped; all that was sent of it lies
// in the socket.
TEST_F(Zombie, ATransactionThatABackendWouldReadLaterIsNotAppliedTwice) {
  ASSERT_NO_FATAL_FAILURE(StopLane(Lane()));
  gate_.CutOn("unread", Gate::Where::kAfter);
  db_.blue().Exec("INSERT INTO t VALUES (2, 0, 'unread')");
  ASSERT_TRUE(gate_.WaitForCuts(1, seconds(30)));
  // By now it has been told to end.
  ASSERT_TRUE(WaitForTarget("wait_event = 'BackendTermination'")) << pgteal_->Log();
  LetGo();
  ExpectNothingLostOrDoubled();
}

}  // namespace
}  // namespace pgteal::tests
