#include "pipeline/doorbell.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool IsReadable(const Doorbell& doorbell) {
  pollfd fd{doorbell.fd(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}

TEST(Doorbell, ARingBeforeTheWaitIsNotLost) {
  Doorbell doorbell;
  doorbell.Ring();
  const auto patience = Clock::now() + seconds(30);
  doorbell.Wait(patience);
  EXPECT_LT(Clock::now(), patience);
}

TEST(Doorbell, ManyRingsAreOneWakeUp) {
  Doorbell doorbell;
  for (int i = 0; i < 1000; ++i) doorbell.Ring();
  EXPECT_TRUE(IsReadable(doorbell));
  doorbell.Wait(Clock::now() + seconds(30));
  EXPECT_FALSE(IsReadable(doorbell));
}

TEST(Doorbell, AWaitEndsAtItsDeadline) {
  Doorbell doorbell;
  const auto deadline = Clock::now() + milliseconds(5);
  doorbell.Wait(deadline);
  EXPECT_GE(Clock::now(), deadline);
  doorbell.Wait(Clock::now() - seconds(1));
}

TEST(Doorbell, ItCanBePolledBesideSockets) {
  Doorbell doorbell;
  EXPECT_FALSE(IsReadable(doorbell));
  doorbell.Ring();
  EXPECT_TRUE(IsReadable(doorbell));
  doorbell.Clear();
  EXPECT_FALSE(IsReadable(doorbell));
  doorbell.Ring();
  EXPECT_TRUE(IsReadable(doorbell)) << "it rings again after it was cleared";
}

// Two threads that answer each other: one lost wake-up and both wait until the deadline.
TEST(Doorbell, NoWakeUpIsLostBetweenTwoThreads) {
  constexpr uint64_t kRounds = 20'000;
  Doorbell ping;
  Doorbell pong;
  uint64_t value = 0;
  std::atomic<uint64_t> turn = 0;
  const auto patience = Clock::now() + seconds(60);
  const auto play = [&](Doorbell& mine, Doorbell& other, uint64_t parity) {
    for (uint64_t i = parity; i < kRounds; i += 2) {
      while (turn.load(std::memory_order_acquire) != i) {
        mine.Wait(patience);
        if (Clock::now() >= patience) return;
      }
      ++value;
      turn.store(i + 1, std::memory_order_release);
      other.Ring();
    }
  };
  std::jthread first([&] { play(ping, pong, 0); });
  std::jthread second([&] { play(pong, ping, 1); });
  first.join();
  second.join();
  EXPECT_EQ(value, kRounds);
}

TEST(Doorbell, WhatWasWrittenBeforeARingIsThereAfterTheWait) {
  Doorbell doorbell;
  int written = 0;  // handed over by the doorbell alone
  std::jthread ringer([&] {
    written = 7;
    doorbell.Ring();
  });
  doorbell.Wait(Clock::now() + seconds(60));
  EXPECT_EQ(written, 7);
}

TEST(Doorbell, ManyRingersWakeOneWaiterForEachOfTheirNews) {
  constexpr uint64_t kEach = 20'000;
  Doorbell doorbell;
  std::atomic<uint64_t> news = 0;
  std::vector<std::jthread> ringers;
  for (int i = 0; i < 3; ++i) {
    ringers.emplace_back([&] {
      for (uint64_t n = 0; n < kEach; ++n) {
        news.fetch_add(1, std::memory_order_relaxed);
        doorbell.Ring();
      }
    });
  }
  const auto patience = Clock::now() + seconds(60);
  while (news.load(std::memory_order_relaxed) < 3 * kEach && Clock::now() < patience) {
    doorbell.Wait(patience);
  }
  EXPECT_EQ(news, 3 * kEach);
}

}  // namespace
}  // namespace pgteal::pipeline
