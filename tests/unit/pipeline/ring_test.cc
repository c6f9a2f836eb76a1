#include "pipeline/ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace pgteal::pipeline {
namespace {

struct Item {
  explicit Item(uint64_t item_number, size_t item_bytes) : number(item_number), bytes(item_bytes) {
    ++alive;
  }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  ~Item() { --alive; }
  size_t memory_bytes() const { return bytes; }

  uint64_t number;
  size_t bytes;
  static std::atomic<int> alive;
};
std::atomic<int> Item::alive = 0;

PushResult Push(Ring<Item>& ring, uint64_t number, size_t bytes) {
  auto item = std::make_unique<Item>(number, bytes);
  const auto result = ring.TryPush(item);
  EXPECT_EQ(item == nullptr, result == PushResult::kPushed) << "who owns it is not clear";
  return result;
}

TEST(Ring, HandsOverInOrder) {
  Ring<Item> ring(4, 100);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(Push(ring, i, 10), PushResult::kPushed);
  EXPECT_EQ(ring.count(), 3U);
  EXPECT_EQ(ring.bytes(), 30U);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(ring.TryPop()->number, i);
  EXPECT_EQ(ring.TryPop(), nullptr);
  EXPECT_EQ(ring.bytes(), 0U);
}

TEST(Ring, IsBoundedByCount) {
  Ring<Item> ring(2, 100);
  EXPECT_EQ(Push(ring, 1, 1), PushResult::kPushed);
  EXPECT_EQ(Push(ring, 2, 1), PushResult::kPushed);
  EXPECT_EQ(Push(ring, 3, 1), PushResult::kFull);
  EXPECT_EQ(ring.bytes(), 2U) << "what was refused is not counted";
  static_cast<void>(ring.TryPop());
  EXPECT_EQ(Push(ring, 3, 1), PushResult::kPushed);
}

TEST(Ring, IsBoundedByBytes) {
  Ring<Item> ring(100, 30);
  EXPECT_EQ(Push(ring, 1, 10), PushResult::kPushed);
  EXPECT_EQ(Push(ring, 2, 20), PushResult::kPushed);
  EXPECT_EQ(Push(ring, 3, 1), PushResult::kFull);
  static_cast<void>(ring.TryPop());
  EXPECT_EQ(Push(ring, 3, 10), PushResult::kPushed);
}

TEST(Ring, OneLargerThanTheLimitPassesAlone) {
  Ring<Item> ring(100, 30);
  EXPECT_EQ(Push(ring, 1, 1), PushResult::kPushed);
  EXPECT_EQ(Push(ring, 2, 1000), PushResult::kFull);
  static_cast<void>(ring.TryPop());
  EXPECT_EQ(Push(ring, 2, 1000), PushResult::kPushed);
  EXPECT_EQ(Push(ring, 3, 1), PushResult::kFull);
  EXPECT_EQ(ring.TryPop()->number, 2U);
}

TEST(Ring, WhatIsLeftInItIsFreed) {
  const int before = Item::alive;
  {
    Ring<Item> ring(10, 100);
    for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(Push(ring, i, 1), PushResult::kPushed);
  }
  EXPECT_EQ(Item::alive, before);
}

TEST(Ring, TwoThreadsLoseNothingAndKeepTheOrder) {
  constexpr uint64_t kItems = 200'000;
  const int before = Item::alive;
  Ring<Item> ring(64, 2000);
  Doorbell space;
  std::jthread producer([&ring, &space] {
    for (uint64_t i = 1; i <= kItems; ++i) {
      auto item = std::make_unique<Item>(i, i % 97 == 0 ? 5000 : i % 100);
      while (ring.TryPush(item) == PushResult::kFull) {
        space.Wait(Clock::now() + std::chrono::seconds(30));
      }
    }
  });
  uint64_t expected = 1;
  while (expected <= kItems) {
    const auto item = ring.TryPop();
    if (item == nullptr) {
      const auto patience = Clock::now() + std::chrono::seconds(30);
      ring.not_empty().Wait(patience);
      ASSERT_LT(Clock::now(), patience) << "a wake-up was lost";
      continue;
    }
    ASSERT_EQ(item->number, expected++);
    space.Ring();
  }
  producer.join();
  EXPECT_EQ(ring.bytes(), 0U);
  EXPECT_EQ(Item::alive, before);
}

}  // namespace
}  // namespace pgteal::pipeline
