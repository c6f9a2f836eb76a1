#include "pipeline/silence.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

using std::chrono::seconds;

TEST(Silence, AtHalfOfItIsTimeToAskOnce) {
  Silence silence(seconds(60));
  silence.Add(seconds(29));
  EXPECT_FALSE(silence.IsTimeToAsk());
  silence.Add(seconds(1));
  EXPECT_TRUE(silence.IsTimeToAsk());
  EXPECT_FALSE(silence.IsTimeToAsk());
}

TEST(Silence, IsTooLongAfterTheWhole) {
  Silence silence(seconds(60));
  silence.Add(seconds(59));
  EXPECT_FALSE(silence.IsTooLong());
  silence.Add(seconds(1));
  EXPECT_TRUE(silence.IsTooLong());
}

TEST(Silence, BeginsAnewWithEveryWord) {
  Silence silence(seconds(60));
  silence.Add(seconds(59));
  EXPECT_TRUE(silence.IsTimeToAsk());
  silence.End();
  silence.Add(seconds(30));
  EXPECT_TRUE(silence.IsTimeToAsk());
  EXPECT_FALSE(silence.IsTooLong());
}

TEST(Silence, IsToldOnceWhenItIsTooLong) {
  Silence silence(seconds(60));
  silence.Add(seconds(59));
  EXPECT_FALSE(silence.IsTimeToTell());
  silence.Add(seconds(1));
  EXPECT_TRUE(silence.IsTimeToTell());
  EXPECT_FALSE(silence.IsTimeToTell());
  silence.End();
  silence.Add(seconds(60));
  EXPECT_TRUE(silence.IsTimeToTell());
}

TEST(Silence, IsNeverTooLongWithoutATimeout) {
  Silence silence(seconds(0));
  silence.Add(seconds(100'000));
  EXPECT_FALSE(silence.IsTimeToAsk());
  EXPECT_FALSE(silence.IsTooLong());
}

}  // namespace
}  // namespace pgteal::pipeline
