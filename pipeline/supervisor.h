#ifndef PGTEAL_PIPELINE_SUPERVISOR_H_
#define PGTEAL_PIPELINE_SUPERVISOR_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "pg/interrupt.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// Starts a session's threads, keeps the first error that says something, and wakes the main thread.
// Outlives every thread it started.
class Supervisor {
 public:
  // `on_failure` is called on the failed thread, after its error was kept; it does not throw.
  template <typename Body, typename OnFailure>
  std::jthread Start(Body body, OnFailure on_failure) {
    return std::jthread([this, body = std::move(body), on_failure = std::move(on_failure)] {
      try {
        body();
      } catch (...) {
        KeepFailure();
        on_failure();
        wake_.Ring();
      }
    });
  }
  template <typename Body>
  std::jthread Start(Body body) {
    return Start(std::move(body), [] {});
  }

  bool has_failed() const { return has_failed_.load(std::memory_order_acquire); }
  // Throws the error that was kept, if there is one. Main thread, when the threads have ended.
  void RethrowFailure();

  // Ends the waits of every connection of the session.
  pg::Interrupt& interrupt() { return interrupt_; }
  // The main thread waits on it.
  Doorbell& wake() { return wake_; }
  // Main thread, often: it is not waiting for a server.
  void Beat() { beats_.fetch_add(1, std::memory_order_relaxed); }
  uint64_t beats() const { return beats_.load(std::memory_order_relaxed); }

 private:
  void KeepFailure() noexcept;

  pg::Interrupt interrupt_;
  Doorbell wake_;
  std::mutex mutex_;
  std::exception_ptr failure_;  // protected by mutex_
  std::atomic<bool> has_failed_ = false;
  std::atomic<uint64_t> beats_ = 0;
};

// Raises the interrupt when a session is to end, because it was stopped or a thread has failed, and
// the main thread has not beaten for a while: it waits for a server that is frozen, and could not
// even notice. What was in hand is undone by green then. A thread of its own; `stop` and the
// supervisor outlive it.
class StuckWatch {
 public:
  // What the main thread asks takes a living server milliseconds.
  static constexpr std::chrono::milliseconds kPatience{3000};

  StuckWatch(const std::atomic<bool>& stop, Supervisor& supervisor,
             std::chrono::milliseconds patience = kPatience);
  ~StuckWatch();
  StuckWatch(const StuckWatch&) = delete;
  StuckWatch& operator=(const StuckWatch&) = delete;

 private:
  void Run();

  const std::atomic<bool>& stop_;
  Supervisor& supervisor_;
  const std::chrono::milliseconds patience_;
  Doorbell wake_;
  std::atomic<bool> is_over_ = false;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SUPERVISOR_H_
