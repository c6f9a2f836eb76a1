#include "pipeline/read_ahead.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

constexpr uint64_t kMib = 1 << 20;
const ReadAheadOptions kOptions;

TEST(NextChunkBytes, GrowsSoThatGreenIsNeverWithoutWork) {
  EXPECT_EQ(NextChunkBytes(kOptions, 8 * kMib, 5 * kMib), 16 * kMib);
  EXPECT_EQ(NextChunkBytes(kOptions, 16 * kMib, 10 * kMib), 32 * kMib);
}

TEST(NextChunkBytes, StopsGrowingWhereTheResultIsAsLargeAsWanted) {
  EXPECT_EQ(NextChunkBytes(kOptions, 64 * kMib, kOptions.result_bytes), 64 * kMib);
  EXPECT_EQ(NextChunkBytes(kOptions, 64 * kMib, 2 * kOptions.result_bytes), 32 * kMib);
  EXPECT_EQ(NextChunkBytes(kOptions, 8 * kMib, 100 * kOptions.result_bytes), 8 * kMib);
}

// After a checkpoint nearly all of blue's WAL is full-page images: that is no large transaction.
TEST(NextChunkBytes, ASmallResultOfFullPageImagesDoesNotAskForTheWholeBacklog) {
  EXPECT_EQ(NextChunkBytes(kOptions, 8 * kMib, kMib / 2), 48 * kMib);
}

TEST(NextChunkBytes, WhatLiesInALargeTransactionIsReadAsAWhole) {
  EXPECT_EQ(NextChunkBytes(kOptions, 8 * kMib, 0), kOptions.chunk_bytes_max);
  EXPECT_EQ(NextChunkBytes(kOptions, 8 * kMib, 10'000), kOptions.chunk_bytes_max);
}

}  // namespace
}  // namespace pgteal::pipeline
