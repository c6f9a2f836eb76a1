#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "tests/fault/fault_test.h"
#include "tests/support/gate.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class Concurrency : public FaultTest {
 protected:
  // pg_terminate_backend does not end a walsender whose client does not read (it hangs in telling
  // the client why); its timeout does.
  Concurrency() {
    db_.blue().Exec("ALTER DATABASE " + db_.name() + " SET wal_sender_timeout = '2s'");
  }
  void SetUp() override {
    first_ = Start();
    ASSERT_TRUE(first_->WaitForLog("streaming slot="));
    ASSERT_TRUE(WaitProgress());
  }

  std::string Generation() {
    return db_.green().Scalar("SELECT generation FROM pgteal.progress WHERE slot = 'pgteal'");
  }
  // Blue's timeout has ended a walsender whose client does not read.
  [[nodiscard]] bool WaitSlotFree() {
    const auto is_free = [&] {
      return db_.blue().Scalar("SELECT active FROM pg_replication_slots") == "f";
    };
    return WaitUntil(is_free, seconds(20));
  }
  void EndWalsender() {
    db_.blue().Exec(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
        " WHERE slot_name = 'pgteal' AND active");
  }
  // The process has found out that another one streams, and it is not that one that ends.
  void ExpectGivesUp(PgtealProcess& loser) {
    const auto code = loser.WaitExit(seconds(60));
    ASSERT_TRUE(code) << "it goes on";
    EXPECT_EQ(*code, 3);
    EXPECT_THAT(loser.Log(), HasSubstr("another process has taken over"));
  }

  Workload workload_{db_.BlueInfo()};
  std::unique_ptr<PgtealProcess> first_;
};

TEST_F(Concurrency, AStoppedProcessThatWakesUpFindsThatAnotherHasTakenOver) {
  for (int i = 0; i < 3 && !HasFailure(); ++i) {
    first_->Signal(SIGSTOP);
    const std::string generation = Generation();
    ASSERT_TRUE(WaitSlotFree());
    auto second = Start();
    ASSERT_TRUE(second->WaitForLog("streaming slot="));
    ASSERT_TRUE(WaitProgress());
    EXPECT_NE(Generation(), generation);
    first_->Signal(SIGCONT);
    ExpectGivesUp(*first_);
    EXPECT_TRUE(second->IsRunning());
    ASSERT_TRUE(WaitProgress());
    first_ = std::move(second);
  }
  workload_.Stop();
  ExpectArrived();
}

TEST_F(Concurrency, ASecondProcessWaitsForTheSlotAndTheFirstGoesOn) {
  const auto second = Start();
  EXPECT_TRUE(second->WaitForLog("waiting for slot pgteal: "));
  ExpectRunsFor(*second, 1000, 2000);
  EXPECT_TRUE(first_->IsRunning());
  ASSERT_TRUE(WaitProgress());
  first_->Kill9();
  EXPECT_TRUE(second->WaitForLog("streaming slot="));
  // Asked again and again, and said once.
  const std::string log = second->Log();
  EXPECT_EQ(log.find("waiting for slot"), log.rfind("waiting for slot")) << log;
  workload_.Stop();
  ExpectArrived();
}

TEST_F(Concurrency, AWaitingProcessOutlivesTheLossOfItsServer) {
  Gate blue(db_.clusters().blue());
  const auto second = Start(blue.ConnInfo(db_.name()));
  EXPECT_TRUE(second->WaitForLog("waiting for slot pgteal: "));
  blue.Refuse(true);
  blue.CutNow();
  // Longer than it waits for the slot.
  ExpectRunsFor(*second, 2000, 3000);
  blue.Refuse(false);
  first_->Kill9();
  EXPECT_TRUE(second->WaitForLog("streaming slot="));
  workload_.Stop();
  ExpectArrived();
}

TEST_F(Concurrency, WhoeverLosesTheSlotToAnotherLosesForGood) {
  const auto second = Start();
  EXPECT_TRUE(second->WaitForLog("waiting for slot pgteal: "));
  // Both try for the slot as soon as it is free, and either may get it first.
  const auto one_has_ended = [&] {
    EndWalsender();
    ExpectRunsFor(*second, 0, 300);
    if (HasFailure()) return true;
    return second->Log().find("streaming slot=") != std::string::npos;
  };
  ASSERT_TRUE(WaitUntil(one_has_ended, seconds(60)));
  ASSERT_FALSE(HasFailure()) << second->Log();
  ExpectGivesUp(*first_);
  EXPECT_TRUE(second->IsRunning());
  workload_.Stop();
  ExpectArrived();
}

TEST_F(Concurrency, AProcessThatSleptLongerThanBluesTimeoutGoesOn) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(WaitProgress());
    first_->Signal(SIGSTOP);
    ASSERT_TRUE(WaitSlotFree());
    first_->Signal(SIGCONT);
  }
  ASSERT_TRUE(WaitProgress());
  workload_.Stop();
  ExpectArrived();
  EXPECT_TRUE(first_->IsRunning());
}

}  // namespace
}  // namespace pgteal::tests
