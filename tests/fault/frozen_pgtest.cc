#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/fault/fault_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// A server that stands still: its connections stay open, and nobody answers.
class FrozenServer {
 public:
  explicit FrozenServer(PgCluster& server) : server_(server) { server_.Freeze(); }
  ~FrozenServer() { server_.Thaw(); }
  FrozenServer(const FrozenServer&) = delete;
  FrozenServer& operator=(const FrozenServer&) = delete;

 private:
  PgCluster& server_;
};

class FrozenProcess {
 public:
  explicit FrozenProcess(pid_t pid) : pid_(pid) { kill(pid_, SIGSTOP); }
  ~FrozenProcess() { kill(pid_, SIGCONT); }
  FrozenProcess(const FrozenProcess&) = delete;
  FrozenProcess& operator=(const FrozenProcess&) = delete;

 private:
  const pid_t pid_;
};

class Frozen : public FaultTest {
 protected:
  void Launch(const std::vector<std::string>& args = {}) {
    std::vector<std::string> all = kArgs;
    all.insert(all.end(), args.begin(), args.end());
    pgteal_ = db_.Pgteal(all);
    ASSERT_TRUE(pgteal_->WaitForLog("streaming slot=")) << pgteal_->Log();
    ASSERT_NO_FATAL_FAILURE(ExpectFollows());
  }
  void ExpectFollows() {
    db_.blue().Exec(
        "INSERT INTO log(session, n, at) SELECT 1000, coalesce(max(n), 0) + 1, now() FROM log");
    ASSERT_TRUE(db_.WaitCaughtUp(seconds(60)));
    EXPECT_TRUE(db_.Equal());
  }
  pid_t Walsender() {
    return std::stoi(db_.blue().Scalar(
        "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'pgteal'"));
  }
  // Neither by the receiver, nor of blue as a whole, which the main thread asks each second.
  void ExpectNoSilenceTold() {
    EXPECT_THAT(pgteal_->Log(), testing::Not(testing::HasSubstr("nothing has come through slot")));
    EXPECT_THAT(pgteal_->Log(), testing::Not(testing::HasSubstr("has not answered")));
  }
  void ExpectStops() {
    pgteal_->Terminate();
    EXPECT_EQ(pgteal_->WaitExit(seconds(15)), 130) << pgteal_->Log();
  }

  std::unique_ptr<PgtealProcess> pgteal_;
};

// It may decode something large, and a session begun anew would have it do that again.
TEST_F(Frozen, AWalsenderThatSaysNothingIsToldOfAndWaitedFor) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--receive-timeout", "1"}));
  const pid_t pid = Walsender();
  {
    const FrozenProcess walsender(pid);
    EXPECT_TRUE(pgteal_->WaitForLog("nothing has come through slot pgteal for 1 s"))
        << pgteal_->Log();
    // Longer than it would take to call blue frozen.
    ExpectRunsFor(*pgteal_, 4000, 4500);
  }
  ExpectFollows();
  EXPECT_EQ(Walsender(), pid);
  EXPECT_THAT(pgteal_->Log(), testing::Not(testing::HasSubstr("has not answered")));
  ExpectStops();
}

TEST_F(Frozen, BlueIsNoticedAsAWhole) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--receive-timeout", "2"}));
  {
    const FrozenServer blue(db_.clusters().blue());
    EXPECT_TRUE(pgteal_->WaitForLog("blue has not answered for 2 s")) << pgteal_->Log();
  }
  ExpectFollows();
  ExpectStops();
}

// It waits for the first rows of a chunk, or for green to take what it has.
TEST_F(Frozen, BlueIsNoticedWhileItsBacklogIsReadAhead) {
  db_.blue().Exec(
      "INSERT INTO log(session, n, at) SELECT 1, i, now() FROM generate_series(1, 200000) AS i");
  Sql blocker(db_.GreenInfo());
  ASSERT_NO_FATAL_FAILURE(BeginWith(blocker, "LOCK TABLE log IN ACCESS EXCLUSIVE MODE"));
  std::vector<std::string> args = kArgs;
  args.insert(args.end(), {"--receive-timeout", "2", "--read-ahead", "on"});
  pgteal_ = db_.Pgteal(args);
  ASSERT_TRUE(pgteal_->WaitForLog("reading ahead slot=")) << pgteal_->Log();
  {
    const FrozenServer blue(db_.clusters().blue());
    EXPECT_TRUE(pgteal_->WaitForLog("blue has not answered for 2 s")) << pgteal_->Log();
  }
  blocker.Exec("ROLLBACK");
  ExpectFollows();
  ExpectStops();
}

TEST_F(Frozen, GreenIsToldOfAndWaitedFor) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--receive-timeout", "2"}));
  const pid_t pid = Walsender();
  {
    const FrozenServer green(db_.clusters().green());
    EXPECT_TRUE(pgteal_->WaitForLog("green has not answered for 2 s")) << pgteal_->Log();
    // A walsender that says nothing at the same time is not blue's fault.
    ExpectRunsFor(*pgteal_, 4000, 4500);
  }
  ExpectFollows();
  EXPECT_EQ(Walsender(), pid);
  EXPECT_THAT(pgteal_->Log(), testing::Not(testing::HasSubstr("blue has not answered")));
  ExpectStops();
}

TEST_F(Frozen, AnIdleBlueIsNotTakenForOne) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--receive-timeout", "1"}));
  ExpectRunsFor(*pgteal_, 5000, 5500);
  ExpectNoSilenceTold();
  ExpectStops();
}

// More than the ring holds comes while green takes nothing: blue is not read then.
TEST_F(Frozen, ABlueThatIsHeldUpByGreenIsNotTakenForOne) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--receive-timeout", "1"}));
  {
    Sql blocker(db_.GreenInfo());
    ASSERT_NO_FATAL_FAILURE(BeginWith(blocker, "LOCK TABLE log IN ACCESS EXCLUSIVE MODE"));
    for (int i = 0; i < 100; ++i) {
      db_.blue().Exec("INSERT INTO log(session, n, at) SELECT 1, i, now() FROM generate_series(" +
                      std::to_string(i * 5000 + 10) + ", " + std::to_string(i * 5000 + 5009) +
                      ") AS i");
    }
    ExpectRunsFor(*pgteal_, 4000, 4500);
  }
  ExpectFollows();
  ExpectNoSilenceTold();
  ExpectStops();
}

TEST_F(Frozen, AStopIsObeyedWhileBlueIs) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  {
    const FrozenServer blue(db_.clusters().blue());
    ExpectRunsFor(*pgteal_, 1500, 2000);
    ExpectStops();
  }
  EXPECT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
}

TEST_F(Frozen, AStopIsObeyedWhileGreenIs) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  {
    const FrozenServer green(db_.clusters().green());
    db_.blue().Exec("INSERT INTO log(session, n, at) VALUES (2000, 1, now())");
    ExpectRunsFor(*pgteal_, 1500, 2000);
    ExpectStops();
  }
  EXPECT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Frozen, AStopIsObeyedWhileALoadWaitsForGreen) {
  db_.green().Exec("TRUNCATE accounts, keyed, full_rows, log, two_unique, documents, scratch");
  Sql blocker(db_.GreenInfo());
  blocker.Exec("BEGIN; LOCK TABLE log IN SHARE MODE");
  pgteal_ = db_.Pgteal({"run", "--copy", "data"});
  ASSERT_TRUE(WaitUntil(
      [&] { return db_.green().Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"; },
      seconds(30)))
      << pgteal_->Log();
  const FrozenServer green(db_.clusters().green());
  ExpectRunsFor(*pgteal_, 2000, 2500);
  ExpectStops();
}

// At the start, and between two attempts to connect.
TEST_F(Frozen, AStopIsObeyedWhileAConnectionIsWaitedFor) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--receive-timeout", "1"}));
  const FrozenServer blue(db_.clusters().blue());
  EXPECT_TRUE(pgteal_->WaitForLog("blue has not answered for 1 s")) << pgteal_->Log();
  EXPECT_TRUE(pgteal_->WaitForLog("no answer in time")) << pgteal_->Log();
  ExpectStops();
}

}  // namespace
}  // namespace pgteal::tests
