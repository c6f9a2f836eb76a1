#include "pipeline/supervisor.h"

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

constexpr std::chrono::milliseconds kLook{200};

}  // namespace

void Supervisor::KeepFailure() noexcept {
  {
    const std::lock_guard lock(mutex_);
    try {
      throw;
    } catch (const pg::Interrupted&) {
      // The consequence of another failure, or of a stop.
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
  }
  has_failed_.store(true, std::memory_order_release);
}

void Supervisor::RethrowFailure() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

StuckWatch::StuckWatch(const std::atomic<bool>& stop, Supervisor& supervisor,
                       std::chrono::milliseconds patience)
    : stop_(stop), supervisor_(supervisor), patience_(patience), thread_([this] { Run(); }) {}

StuckWatch::~StuckWatch() {
  is_over_.store(true, std::memory_order_release);
  wake_.Ring();
}

void StuckWatch::Run() {
  uint64_t beats = supervisor_.beats();
  auto seen_alive = Clock::now();
  while (!is_over_.load(std::memory_order_acquire)) {
    const auto now = Clock::now();
    const bool is_to_end = stop_.load(std::memory_order_acquire) || supervisor_.has_failed();
    const uint64_t beats_now = supervisor_.beats();
    if (std::exchange(beats, beats_now) != beats_now || !is_to_end) seen_alive = now;
    if (now - seen_alive > patience_) {
      supervisor_.interrupt().Raise();
      return;
    }
    wake_.Wait(now + kLook);
  }
}

}  // namespace pgteal::pipeline
