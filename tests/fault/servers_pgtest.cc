#include <gtest/gtest.h>

#include <string>

#include "tests/fault/fault_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using StopMode = PgCluster::StopMode;

// A server that loses what it has not flushed: its WAL writer is slow, and commits do not wait.
ClusterPair& ForgetfulPair() {
  static ClusterPair pair(DefaultVersions(), {},
                          {{"fsync", "on"}, {"wal_writer_delay", "2s"}, {"wal_buffers", "16MB"}});
  return pair;
}

class Servers : public FaultTest {
 protected:
  Servers() : FaultTest(ForgetfulPair()) {}

  void SetUp() override {
    pgteal_ = Start();
    ASSERT_TRUE(pgteal_->WaitForLog("streaming slot="));
    ASSERT_TRUE(WaitProgress());
  }

  // The process survives, and the stream goes on by itself.
  void ExpectGoesOn() {
    ASSERT_TRUE(WaitProgress(seconds(30)));
    EXPECT_TRUE(Workload::IsConsistent(db_.green()));
    ExpectRunsFor(*pgteal_, 50, 1000);
  }

  void ExpectAllArrived() {
    workload_.Stop();
    ExpectArrived();
    EXPECT_TRUE(pgteal_->IsRunning());
  }

  PgCluster& blue() { return db_.clusters().blue(); }
  PgCluster& green() { return db_.clusters().green(); }

  Workload workload_{db_.BlueInfo()};
  std::unique_ptr<PgtealProcess> pgteal_;
};

TEST_F(Servers, GreenIsShutDownImmediatelyFiveTimes) {
  int forgotten = 0;
  for (int i = 0; i < 5 && !HasFailure(); ++i) {
    const std::string before = Progress();
    green().Stop(StopMode::kImmediate);
    green().Start();
    forgotten +=
        db_.green().Scalar("SELECT '" + before + "' > max(end_lsn) FROM pgteal.progress") == "t"
            ? 1
            : 0;
    ExpectGoesOn();
  }
  EXPECT_GT(forgotten, 0) << "green never lost a commit, so nothing was tried";
  ExpectAllArrived();
}

TEST_F(Servers, GreenIsRestartedAndStaysAwayForAWhile) {
  green().Stop(StopMode::kFast);
  ExpectRunsFor(*pgteal_, 1000, 2000);
  green().Start();
  ExpectGoesOn();
  ExpectAllArrived();
}

TEST_F(Servers, BlueIsRestartedFastAndImmediately) {
  for (int i = 0; i < 6 && !HasFailure(); ++i) {
    blue().Restart(i % 2 == 0 ? StopMode::kFast : StopMode::kImmediate);
    ExpectGoesOn();
  }
  ExpectAllArrived();
}

TEST_F(Servers, EitherServerLosesAllItsProcessesAtOnce) {
  green().Kill9();
  green().Start();
  ExpectGoesOn();
  blue().Kill9();
  blue().Start();
  ExpectGoesOn();
  ExpectAllArrived();
}

TEST_F(Servers, WhatBlueForgetsWithGreenIsSentAgain) {
  // The slot's position on disk is older than what green has after blue crashed.
  blue().Kill9();
  green().Kill9();
  blue().Start();
  green().Start();
  ExpectGoesOn();
  ExpectAllArrived();
}

}  // namespace
}  // namespace pgteal::tests
