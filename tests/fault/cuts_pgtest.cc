#include <gtest/gtest.h>

#include <string>

#include "tests/fault/fault_test.h"
#include "tests/support/gate.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Cuts : public FaultTest {
 protected:
  // Through both gates; the lanes' COMMITs are seen by green's.
  void Run() {
    pgteal_ = Start(blue_gate_.ConnInfo(db_.name()), green_gate_.ConnInfo(db_.name()));
    ASSERT_TRUE(pgteal_->WaitForLog("streaming slot="));
    ASSERT_TRUE(WaitProgress());
  }

  // One more cut of the gate has happened, and the stream has got over it.
  void ExpectCutAndGoesOn(const Gate& gate, uint64_t cuts) {
    ASSERT_TRUE(gate.WaitForCuts(cuts, seconds(20)));
    ASSERT_TRUE(WaitProgress());
    EXPECT_TRUE(Workload::IsConsistent(db_.green()));
    EXPECT_TRUE(pgteal_->IsRunning());
  }

  void ExpectAllArrived() {
    workload_.Stop();
    ExpectArrived();
    EXPECT_TRUE(pgteal_->IsRunning());
  }

  void CutAroundCommits(Gate::Where where, int times) {
    Run();
    for (int i = 0; i < times && !HasFailure(); ++i) {
      green_gate_.CutOn("COMMIT", where, Pick(1, 5));
      ExpectCutAndGoesOn(green_gate_, green_gate_.cuts() + 1);
    }
    ExpectAllArrived();
  }

  Gate blue_gate_{db_.clusters().blue()};
  Gate green_gate_{db_.clusters().green()};
  Workload workload_{db_.BlueInfo()};
  std::unique_ptr<PgtealProcess> pgteal_;
};

TEST_F(Cuts, GreenNeverHearsTheCommit) { CutAroundCommits(Gate::Where::kBefore, 30); }

TEST_F(Cuts, WeNeverHearOfTheCommit) { CutAroundCommits(Gate::Where::kAfter, 30); }

TEST_F(Cuts, BetweenUsAndBlueAfterAnyNumberOfBytes) {
  Run();
  for (int i = 0; i < 30 && !HasFailure(); ++i) {
    const uint64_t cuts = blue_gate_.cuts();
    blue_gate_.CutAfterBytes(static_cast<uint64_t>(Pick(1, 40'000)), Gate::Way::kToClient);
    ExpectCutAndGoesOn(blue_gate_, cuts + 1);
  }
  ExpectAllArrived();
}

TEST_F(Cuts, BetweenUsAndGreenAfterAnyNumberOfBytes) {
  Run();
  for (int i = 0; i < 20 && !HasFailure(); ++i) {
    const uint64_t cuts = green_gate_.cuts();
    const bool is_answer = i % 2 == 0;
    green_gate_.CutAfterBytes(static_cast<uint64_t>(Pick(1, is_answer ? 3000 : 40'000)),
                              is_answer ? Gate::Way::kToClient : Gate::Way::kToServer);
    ExpectCutAndGoesOn(green_gate_, cuts + 1);
  }
  ExpectAllArrived();
}

TEST_F(Cuts, AnAddressThatSwallowsEverythingAndThenBreaks) {
  Run();
  for (Gate* const gate : {&green_gate_, &blue_gate_}) {
    gate->Stop();
    ExpectRunsFor(*pgteal_, 2500, 3500);
    const uint64_t cuts = gate->cuts();
    gate->CutNow();
    gate->Pass();
    EXPECT_GT(gate->cuts(), cuts);
    ASSERT_TRUE(WaitProgress());
  }
  ExpectAllArrived();
}

TEST_F(Cuts, AServerThatTurnsUsAwayForAWhile) {
  Run();
  for (Gate* const gate : {&green_gate_, &blue_gate_}) {
    gate->Refuse(true);
    gate->CutNow();
    ExpectRunsFor(*pgteal_, 500, 1500);
    gate->Refuse(false);
    ASSERT_TRUE(WaitProgress());
  }
  ExpectAllArrived();
}

TEST_F(Cuts, ADistantServerOnlyMakesItSlower) {
  Run();
  green_gate_.Delay(milliseconds(5));
  blue_gate_.Delay(milliseconds(5));
  ExpectRunsFor(*pgteal_, 4000, 5000);
  ASSERT_TRUE(WaitProgress());
  green_gate_.Pass();
  blue_gate_.Pass();
  ExpectAllArrived();
}

}  // namespace
}  // namespace pgteal::tests
