#ifndef PGTEAL_TOOLS_SWITCHOVER_WATCHDOG_H_
#define PGTEAL_TOOLS_SWITCHOVER_WATCHDOG_H_

#include <atomic>
#include <chrono>
#include <thread>

#include "pg/interrupt.h"
#include "pipeline/doorbell.h"

namespace pgteal::tools {

// Raises an interrupt when a time is up or a stop is requested, unless it was called off before.
// A thread of its own.
class Watchdog {
 public:
  Watchdog(std::chrono::seconds timeout, const std::atomic<bool>& stop, pg::Interrupt& interrupt);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // After it the interrupt is never raised. False when it has been already.
  [[nodiscard]] bool CallOff();
  bool has_timed_out() const { return has_timed_out_.load(); }

 private:
  void Watch();

  const std::chrono::steady_clock::time_point deadline_;
  const std::atomic<bool>& stop_;
  pg::Interrupt& interrupt_;
  pipeline::Doorbell wake_;
  std::atomic<bool> is_off_ = false;
  std::atomic<bool> has_timed_out_ = false;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_WATCHDOG_H_
