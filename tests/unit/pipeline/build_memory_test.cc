#include "pipeline/build_memory.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

constexpr BuildMemory kUsual{.configured_kb = 64 << 10, .most_kb = 1 << 20};
constexpr uint64_t kGigabyte = uint64_t{1} << 30;

TEST(BuildMemory, IsGreensOwnSettingWhereOneMergeIsEnough) {
  EXPECT_EQ(BuildMemoryKb(kUsual, 1, 0), kUsual.configured_kb);
  EXPECT_EQ(BuildMemoryKb(kUsual, kGigabyte, 0), kUsual.configured_kb);
}

TEST(BuildMemory, GrowsSoThatLargeIndexesAreMergedOnce) {
  const uint64_t memory_kb = BuildMemoryKb(kUsual, 100 * kGigabyte, 0);
  const uint64_t runs = 3 * 100 * (kGigabyte / 1024) / memory_kb;
  const uint64_t merged_at_once = memory_kb / 272;
  EXPECT_LE(runs, merged_at_once + 1);
  EXPECT_LT(memory_kb, 2 * kUsual.most_kb / 3);
}

TEST(BuildMemory, HasRoomForEveryProcessOfAParallelBuild) {
  EXPECT_EQ(BuildMemoryKb(kUsual, 1, 1), 2u * (32 << 10));
  EXPECT_EQ(BuildMemoryKb(kUsual, 1, 3), 4u * (32 << 10));
  EXPECT_GT(BuildMemoryKb(kUsual, 100 * kGigabyte, 1), BuildMemoryKb(kUsual, 100 * kGigabyte, 0));
}

TEST(BuildMemory, IsBoundedByWhatGreenMayHave) {
  EXPECT_EQ(BuildMemoryKb(kUsual, 10'000 * kGigabyte, 0), kUsual.most_kb);
  EXPECT_EQ(BuildMemoryKb(kUsual, kGigabyte, 63), kUsual.most_kb);
}

TEST(BuildMemory, IsAllOfItForOtherIndexes) {
  EXPECT_EQ(BuildMemoryKb(kUsual, 0, 0), kUsual.most_kb);
}

TEST(BuildMemory, IsWhatIsConfiguredWhenThatIsMore) {
  constexpr BuildMemory kGenerous{.configured_kb = 2 << 20, .most_kb = 1 << 20};
  EXPECT_EQ(BuildMemoryKb(kGenerous, 1, 0), kGenerous.configured_kb);
  EXPECT_EQ(BuildMemoryKb(kGenerous, 10'000 * kGigabyte, 7), kGenerous.configured_kb);
  EXPECT_EQ(BuildMemoryKb(kGenerous, 0, 0), kGenerous.configured_kb);
}

}  // namespace
}  // namespace pgteal::pipeline
