#include "pipeline/verify_buckets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

TEST(VerifyBuckets, SumsAreTakenModuloTwoToThe64) {
  EXPECT_EQ(ParseModulo("0"), 0U);
  EXPECT_EQ(ParseModulo("-1"), ~uint64_t{0});
  EXPECT_EQ(ParseModulo("18446744073709551616"), 0U);  // 2^64
  EXPECT_EQ(ParseModulo("-18446744073709551617"), ~uint64_t{0});
  EXPECT_EQ(ParseModulo("340282366920938463463374607431768211461"), 5U);  // 2^128 + 5
  for (const std::string text : {"", "-", "1.5", "1e3", "x"}) {
    EXPECT_THROW(static_cast<void>(ParseModulo(text)), pg::ProtocolError) << text;
  }
}

TEST(VerifyBuckets, PartsAddUpInAnyOrder) {
  BucketSums one(4);
  one.Add(1, {.rows = 2, .hashes = 10});
  one.Add(1, {.rows = 1, .hashes = ~uint64_t{0}});
  BucketSums other(4);
  other.Add(1, {.rows = 3, .hashes = 9});
  EXPECT_TRUE(FindDifferent(one, other, 100).buckets.empty());
  EXPECT_EQ(one.rows(), 3U);
  EXPECT_THROW(one.Add(4, {}), pg::ProtocolError);
}

TEST(VerifyBuckets, ARowDoubledHereAndLostThereIsSeenByTheCount) {
  BucketSums one(1);
  one.Add(0, {.rows = 2, .hashes = 0});
  BucketSums other(1);
  other.Add(0, {.rows = 1, .hashes = 0});
  EXPECT_EQ(FindDifferent(one, other, 100).buckets, std::vector<uint32_t>{0});
}

TEST(VerifyBuckets, NoMoreRowsAreLookedAtThanTheLimitButOneBucketAlways) {
  BucketSums blue(3);
  BucketSums green(3);
  for (uint32_t bucket = 0; bucket < 3; ++bucket) blue.Add(bucket, {.rows = 60, .hashes = 1});
  const auto all = FindDifferent(blue, green, 180);
  EXPECT_EQ(all.buckets.size(), 3U);
  EXPECT_TRUE(all.is_complete);
  const auto some = FindDifferent(blue, green, 179);
  EXPECT_EQ(some.buckets.size(), 2U);
  EXPECT_FALSE(some.is_complete);
  EXPECT_EQ(FindDifferent(blue, green, 1).buckets.size(), 1U);
}

TEST(VerifyBuckets, TheirNumberIsAPowerOfTwo) {
  for (const uint64_t rows : {0ULL, 5000ULL, 100'000ULL, 1ULL << 40}) {
    const uint32_t count = BucketCountFor(rows);
    EXPECT_EQ(count & (count - 1), 0U) << rows;
    EXPECT_GE(count, 16U);
    EXPECT_LE(count, 4096U);
  }
}

}  // namespace
}  // namespace pgteal::pipeline
