#include "pipeline/verify_queue.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

VerifyUnit Unit(uint64_t pages) {
  return {
      .qualified = "t", .is_plain = true, .pages = pages, .bytes = pages << 13, .filenodes = {}};
}

TEST(VerifyQueue, PiecesCoverAUnitWithoutGapOrOverlapAndTheLastHasNoEnd) {
  for (const uint64_t pages : {0ULL, 1ULL, 2ULL, 7ULL, 1000ULL}) {
    const auto tasks = SplitUnits({Unit(pages)}, 0, 64 << 10);
    uint64_t next = 0;
    ASSERT_FALSE(tasks.empty());
    for (size_t i = 0; i < tasks.size() && tasks.size() > 1; ++i) {
      ASSERT_TRUE(tasks[i].pages);
      EXPECT_EQ(tasks[i].pages->begin, next);
      EXPECT_EQ(tasks[i].pages->end.has_value(), i + 1 < tasks.size());
      next = tasks[i].pages->end.value_or(0);
    }
  }
  EXPECT_EQ(SplitUnits({Unit(1000)}, 0, 64 << 10).size(), 126U);
}

TEST(VerifyQueue, AUnitThatIsReadAsAWholeIsOnePiece) {
  auto whole = Unit(1000);
  whole.is_plain = false;
  const auto tasks = SplitUnits({whole, Unit(1)}, 3, 1 << 13);
  ASSERT_GE(tasks.size(), 2U);
  EXPECT_FALSE(tasks[0].pages);
  EXPECT_EQ(tasks[1].unit, 1U);
  EXPECT_EQ(tasks[1].table, 3U);
}

TEST(VerifyQueue, HandsOutInOrderFirstThingsFirstUntilItIsClosed) {
  VerifyQueue queue(0);
  queue.Add(Side::kBlue, {{.table = 1, .unit = 0, .pages = {}, .bytes = 0}});
  queue.Add(Side::kGreen, {{.table = 2, .unit = 0, .pages = {}, .bytes = 0}});
  queue.AddFirst(Side::kBlue, {{.table = 3, .unit = 0, .pages = {}, .bytes = 0}});
  EXPECT_EQ(queue.Next(Side::kBlue)->table, 3U);
  EXPECT_EQ(queue.Next(Side::kBlue)->table, 1U);
  EXPECT_EQ(queue.Next(Side::kGreen)->table, 2U);
  queue.Close();
  EXPECT_FALSE(queue.Next(Side::kBlue));
}

}  // namespace
}  // namespace pgteal::pipeline
