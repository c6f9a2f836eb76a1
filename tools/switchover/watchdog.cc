#include "tools/switchover/watchdog.h"

#include <algorithm>

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;

// A signal handler can only set a flag; so often it is looked at.
constexpr std::chrono::milliseconds kLook{20};

}  // namespace

Watchdog::Watchdog(std::chrono::seconds timeout, const std::atomic<bool>& stop,
                   pg::Interrupt& interrupt)
    : deadline_(Clock::now() + timeout),
      stop_(stop),
      interrupt_(interrupt),
      thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  is_off_.store(true);
  wake_.Ring();
}

void Watchdog::Watch() {
  while (!is_off_.load()) {
    const bool is_late = Clock::now() >= deadline_;
    if (is_late || stop_.load(std::memory_order_acquire)) {
      has_timed_out_.store(is_late);
      interrupt_.Raise();
      return;
    }
    wake_.Wait(std::min(deadline_, Clock::now() + kLook));
  }
}

bool Watchdog::CallOff() {
  is_off_.store(true);
  wake_.Ring();
  thread_ = {};
  return !interrupt_.is_raised();
}

}  // namespace pgteal::tools
