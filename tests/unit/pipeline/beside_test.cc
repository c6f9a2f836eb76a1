#include "pipeline/beside.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <stdexcept>

namespace pgteal::pipeline {
namespace {

constexpr int kLongMs = 60'000;

TEST(InterruptOnError, EndsWhatGoesOnBesideBeforeItIsWaitedFor) {
  pg::Interrupt interrupt;
  std::atomic<int> readable = 0;
  const auto fail = [&] {
    auto beside = Beside([&] {
      pollfd one{.fd = interrupt.fd(), .events = POLLIN, .revents = 0};
      readable = poll(&one, 1, kLongMs);
    });
    const InterruptOnError end(interrupt);
    throw std::runtime_error("what came first");
  };
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_EQ(readable, 1);
}

TEST(InterruptOnError, LeavesAScopeThatEndsWellAlone) {
  pg::Interrupt interrupt;
  { const InterruptOnError end(interrupt); }
  EXPECT_FALSE(interrupt.is_raised());
}

// As in a handler that cleans up: the exception is not this scope's.
TEST(InterruptOnError, AnExceptionThatWasThereBeforeDoesNotCount) {
  pg::Interrupt interrupt;
  struct CleansUp {
    pg::Interrupt& interrupt;
    ~CleansUp() { const InterruptOnError end(interrupt); }
  };
  const auto fail = [&] {
    const CleansUp here{interrupt};
    throw std::runtime_error("elsewhere");
  };
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_FALSE(interrupt.is_raised());
}

}  // namespace
}  // namespace pgteal::pipeline
