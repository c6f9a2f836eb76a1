#include "pipeline/commit_order.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

using Outcome = applier::Turn::Outcome;

TEST(CommitOrder, TheFirstBatchMayCommitAtOnce) {
  const pg::Interrupt interrupt;
  CommitOrder order(1, interrupt);
  LaneTurn turn(order, 0);
  EXPECT_EQ(order.committed(), 0U);
  EXPECT_EQ(turn.Await(1), Outcome::kMine);
  order.Committed(1);
  EXPECT_EQ(order.committed(), 1U);
  EXPECT_EQ(turn.Await(2), Outcome::kMine);
}

TEST(CommitOrder, LanesCommitInSequenceHoweverTheyRun) {
  constexpr uint64_t kBatches = 5000;
  constexpr size_t kLanes = 4;
  const pg::Interrupt interrupt;
  CommitOrder order(kLanes, interrupt);
  std::atomic<uint64_t> next = 1;
  std::vector<uint64_t> committed;  // handed from lane to lane by the order alone
  {
    std::vector<std::jthread> lanes;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes.emplace_back([&, lane] {
        for (uint64_t batch = next++; batch <= kBatches; batch = next++) {
          EXPECT_EQ(order.Await(lane, batch), Outcome::kMine);
          committed.push_back(batch);
          order.Committed(batch);
        }
      });
    }
  }
  ASSERT_EQ(committed.size(), kBatches);
  for (uint64_t i = 0; i < kBatches; ++i) ASSERT_EQ(committed[i], i + 1);
}

TEST(CommitOrder, ALaneThatIsAskedToYieldComesBackOnce) {
  const pg::Interrupt interrupt;
  CommitOrder order(2, interrupt);
  order.AskToYield(1, 2);
  EXPECT_EQ(order.Await(1, 2), Outcome::kYield);
  std::jthread earlier([&order] { order.Committed(1); });
  EXPECT_EQ(order.Await(1, 2), Outcome::kMine);
}

TEST(CommitOrder, ALaneWakesFromItsWaitToYield) {
  const pg::Interrupt interrupt;
  CommitOrder order(2, interrupt);
  std::jthread lane([&order] { EXPECT_EQ(order.Await(1, 2), Outcome::kYield); });
  order.AskToYield(1, 2);
}

TEST(CommitOrder, ARequestForAnEarlierBatchIsForgotten) {
  const pg::Interrupt interrupt;
  CommitOrder order(2, interrupt);
  order.AskToYield(1, 2);
  order.Committed(1);
  EXPECT_EQ(order.Await(1, 2), Outcome::kMine) << "its turn came first";
  order.Committed(2);
  std::jthread earlier([&order] { order.Committed(3); });
  EXPECT_EQ(order.Await(1, 4), Outcome::kMine);
}

TEST(CommitOrder, AnInterruptEndsEveryWait) {
  pg::Interrupt interrupt;
  CommitOrder order(3, interrupt);
  std::vector<std::jthread> lanes;
  for (size_t lane = 0; lane < 3; ++lane) {
    lanes.emplace_back(
        [&order, lane] { EXPECT_THROW(static_cast<void>(order.Await(lane, 7)), pg::Interrupted); });
  }
  interrupt.Raise();
  order.WakeAll();
}

TEST(CommitOrder, ABatchWhoseTurnHasComeIsNotInterrupted) {
  pg::Interrupt interrupt;
  CommitOrder order(1, interrupt);
  interrupt.Raise();
  EXPECT_EQ(order.Await(0, 1), Outcome::kMine);
}

TEST(CommitOrderDeathTest, ACommitBeforeItsTurnEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const pg::Interrupt interrupt;
  CommitOrder order(2, interrupt);
  EXPECT_DEATH(order.Committed(2), "committed before its turn");
}

}  // namespace
}  // namespace pgteal::pipeline
