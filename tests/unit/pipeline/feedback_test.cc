#include "pipeline/feedback.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

class FeedbackTest : public testing::Test {
 protected:
  // The status due `elapsed` after the beginning; all zero when none is.
  decoder::StandbyStatus At(int elapsed_ms) {
    return feedback_.Poll(begin_ + milliseconds(elapsed_ms)).value_or(decoder::StandbyStatus{});
  }
  bool IsDueAt(int elapsed_ms) {
    return feedback_.Poll(begin_ + milliseconds(elapsed_ms)).has_value();
  }

  const Clock::time_point begin_ = Clock::time_point() + std::chrono::hours(1);
  Feedback feedback_{{.interval = milliseconds(500), .interval_min = milliseconds(50)}, {100}};
};

TEST_F(FeedbackTest, TheFirstStatusIsDueAtOnceAndTellsWhereWeBegin) {
  const auto status = At(0);
  EXPECT_EQ(status.write_lsn, pg::Lsn{100});
  EXPECT_EQ(status.apply_lsn, pg::Lsn{100});
  EXPECT_EQ(status.flush_lsn, pg::Lsn{100});
  EXPECT_FALSE(status.reply_requested);
}

TEST_F(FeedbackTest, AReplyIsAskedForAtOnceAndOnce) {
  At(0);
  feedback_.AskForReply();
  EXPECT_TRUE(At(1).reply_requested);
  EXPECT_FALSE(IsDueAt(2));
  EXPECT_FALSE(At(600).reply_requested);
}

TEST_F(FeedbackTest, FlushAndApplyDoNotMoveWithWhatIsReceived) {
  feedback_.Received({900});
  const auto status = At(0);
  EXPECT_EQ(status.write_lsn, pg::Lsn{900});
  EXPECT_EQ(status.apply_lsn, pg::Lsn{100});
  EXPECT_EQ(status.flush_lsn, pg::Lsn{100});
}

TEST_F(FeedbackTest, FlushDoesNotMoveWithWhatIsCommittedButNotDurable) {
  feedback_.Received({900});
  feedback_.Applied({500});
  const auto status = At(0);
  EXPECT_EQ(status.apply_lsn, pg::Lsn{500});
  EXPECT_EQ(status.flush_lsn, pg::Lsn{100});
}

TEST_F(FeedbackTest, EachPositionIsReportedAsItIs) {
  feedback_.Received({900});
  feedback_.Applied({500});
  feedback_.Durable({300});
  const auto status = At(0);
  EXPECT_EQ(status.write_lsn, pg::Lsn{900});
  EXPECT_EQ(status.apply_lsn, pg::Lsn{500});
  EXPECT_EQ(status.flush_lsn, pg::Lsn{300});
}

TEST_F(FeedbackTest, NoPositionGoesBackwards) {
  feedback_.Received({900});
  feedback_.Applied({500});
  feedback_.Durable({300});
  feedback_.Received({200});
  feedback_.Applied({150});
  feedback_.Durable({0});
  const auto status = At(0);
  EXPECT_EQ(status.write_lsn, pg::Lsn{900});
  EXPECT_EQ(status.apply_lsn, pg::Lsn{500});
  EXPECT_EQ(status.flush_lsn, pg::Lsn{300});
}

TEST_F(FeedbackTest, FlushIsNeverBeyondApplyNorApplyBeyondWriteWhateverComesIn) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Feedback feedback({}, {random() % 1000});
    decoder::StandbyStatus last;
    for (int i = 0; i < 50; ++i) {
      const pg::Lsn lsn{random() % 2000};
      if (random() % 3 == 0) feedback.Received(lsn);
      if (random() % 3 == 0) feedback.Applied(lsn);
      if (random() % 3 == 0) feedback.Durable(lsn);
      const auto status = feedback.Final();
      EXPECT_LE(status.flush_lsn, status.apply_lsn);
      EXPECT_LE(status.apply_lsn, status.write_lsn);
      EXPECT_GE(status.flush_lsn, last.flush_lsn);
      EXPECT_GE(status.apply_lsn, last.apply_lsn);
      EXPECT_GE(status.write_lsn, last.write_lsn);
      last = status;
    }
  }
}

TEST_F(FeedbackTest, ARequestedReplyIsDueAtOnceAndOnce) {
  EXPECT_TRUE(IsDueAt(0));
  EXPECT_FALSE(IsDueAt(1));
  feedback_.ReplyRequested();
  EXPECT_TRUE(IsDueAt(1));
  EXPECT_FALSE(IsDueAt(1));
}

TEST_F(FeedbackTest, TheTimerRunsWhenNothingIsReadAndNothingMoves) {
  EXPECT_TRUE(IsDueAt(0));
  EXPECT_FALSE(IsDueAt(499));
  EXPECT_TRUE(IsDueAt(500));
  EXPECT_FALSE(IsDueAt(999));
  EXPECT_TRUE(IsDueAt(1000));
}

TEST_F(FeedbackTest, NewsAreToldSoonerButNotAtEveryCommit) {
  EXPECT_TRUE(IsDueAt(0));
  feedback_.Received({200});
  feedback_.Durable({200});
  EXPECT_FALSE(IsDueAt(49));
  EXPECT_TRUE(IsDueAt(50));
  EXPECT_FALSE(IsDueAt(100)) << "blue knows it already";
  feedback_.Applied({300});
  EXPECT_TRUE(IsDueAt(100));
}

TEST_F(FeedbackTest, WhatIsOnlyReceivedIsNoNews) {
  EXPECT_TRUE(IsDueAt(0));
  feedback_.Received({5000});
  EXPECT_FALSE(IsDueAt(400));
}

TEST_F(FeedbackTest, NextDueIsWhenPollHasSomething) {
  EXPECT_TRUE(IsDueAt(0));
  EXPECT_EQ(feedback_.next_due(), begin_ + milliseconds(500));
  feedback_.Durable({200});
  EXPECT_EQ(feedback_.next_due(), begin_ + milliseconds(50));
  EXPECT_TRUE(IsDueAt(50));
  EXPECT_EQ(feedback_.next_due(), begin_ + milliseconds(550));
}

TEST_F(FeedbackTest, TheLastWordsAreAlwaysThere) {
  EXPECT_TRUE(IsDueAt(0));
  feedback_.Durable({700});
  EXPECT_EQ(feedback_.Final().flush_lsn, pg::Lsn{700});
  EXPECT_EQ(feedback_.Final().flush_lsn, pg::Lsn{700});
}

}  // namespace
}  // namespace pgteal::pipeline
