#include "pipeline/progress.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace pgteal::pipeline {
namespace {

class ProgressTest : public testing::Test {
 protected:
  bool HasRung() {
    pollfd fd{changed_.fd(), POLLIN, 0};
    const bool has_rung = poll(&fd, 1, 0) == 1;
    changed_.Clear();
    return has_rung;
  }

  Doorbell changed_;
  Progress progress_{{100}, changed_};
};

TEST_F(ProgressTest, BeginsWhereGreenStands) {
  EXPECT_EQ(progress_.received(), pg::Lsn{100});
  EXPECT_EQ(progress_.applied(), pg::Lsn{100});
  EXPECT_EQ(progress_.durable(), pg::Lsn{100});
}

TEST_F(ProgressTest, WhatIsCommittedIsDurableOnlyOnceGreenHasFlushedIt) {
  progress_.Committed({200}, {5000}, {7});
  EXPECT_EQ(progress_.applied(), pg::Lsn{200});
  EXPECT_EQ(progress_.commit_time(), pg::Timestamp{7});
  EXPECT_EQ(progress_.durable(), pg::Lsn{100});
  progress_.GreenFlushed({4999});
  EXPECT_EQ(progress_.durable(), pg::Lsn{100});
  progress_.GreenFlushed({5000});
  EXPECT_EQ(progress_.durable(), pg::Lsn{200});
}

TEST_F(ProgressTest, DurableIsTheContiguousPart) {
  progress_.Committed({200}, {5000}, {});
  progress_.Committed({300}, {6000}, {});
  progress_.Committed({400}, {5500}, {});  // green's positions may come in any order
  progress_.GreenFlushed({5700});
  EXPECT_EQ(progress_.durable(), pg::Lsn{200});
  progress_.GreenFlushed({6000});
  EXPECT_EQ(progress_.durable(), pg::Lsn{400});
}

TEST_F(ProgressTest, AnOlderFlushPositionTakesNothingBack) {
  progress_.Committed({200}, {5000}, {});
  progress_.GreenFlushed({5000});
  progress_.GreenFlushed({1});
  EXPECT_EQ(progress_.durable(), pg::Lsn{200});
}

TEST_F(ProgressTest, ReceivingMovesNothingElse) {
  progress_.Received({900});
  EXPECT_EQ(progress_.received(), pg::Lsn{900});
  EXPECT_EQ(progress_.applied(), pg::Lsn{100});
  EXPECT_EQ(progress_.durable(), pg::Lsn{100});
}

TEST_F(ProgressTest, RingsWhenAPositionMovedAndOnlyThen) {
  EXPECT_FALSE(HasRung());
  progress_.Committed({200}, {5000}, {});
  EXPECT_TRUE(HasRung());
  progress_.GreenFlushed({4000});
  EXPECT_FALSE(HasRung());
  progress_.GreenFlushed({5000});
  EXPECT_TRUE(HasRung());
  progress_.GreenFlushed({6000});
  EXPECT_FALSE(HasRung());
}

TEST_F(ProgressTest, ReadersNeverSeeMoreDurableThanApplied) {
  constexpr uint64_t kBatches = 50'000;
  std::jthread lanes([this] {
    for (uint64_t i = 1; i <= kBatches; ++i) progress_.Committed({100 + i}, {i}, {});
  });
  std::jthread flusher([this] {
    for (uint64_t i = 1; i <= kBatches; ++i) progress_.GreenFlushed({i});
  });
  pg::Lsn last;
  for (int i = 0; i < 20'000; ++i) {
    const auto durable = progress_.durable();
    EXPECT_LE(durable, progress_.applied());
    EXPECT_GE(durable, last);
    last = durable;
  }
  lanes.join();
  flusher.join();
  progress_.GreenFlushed({kBatches});
  EXPECT_EQ(progress_.durable(), pg::Lsn{100 + kBatches});
}

using ProgressDeathTest = ProgressTest;

TEST_F(ProgressDeathTest, ABatchThatCommitsBehindAnEarlierPositionEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  progress_.Committed({200}, {5000}, {});
  EXPECT_DEATH(progress_.Committed({199}, {5001}, {}), "batches committed out of order");
}

}  // namespace
}  // namespace pgteal::pipeline
