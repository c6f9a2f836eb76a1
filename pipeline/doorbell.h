#ifndef PGTEAL_PIPELINE_DOORBELL_H_
#define PGTEAL_PIPELINE_DOORBELL_H_

#include <atomic>
#include <chrono>

namespace pgteal::pipeline {

using Clock = std::chrono::steady_clock;

// Wakes one waiting thread. Any thread rings; one thread waits, alone or together with sockets
// through fd(). A ring before the wait is not lost; many rings before it cost one system call.
class Doorbell {
 public:
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  void Ring() noexcept;
  // Until it rings or the deadline passes. After it returns, everything written before a Ring that
  // it saw is visible.
  void Wait(Clock::time_point deadline);
  // For a poll() elsewhere; call Clear() after it.
  int fd() const { return fd_; }
  void Clear();

 private:
  const int fd_;
  std::atomic<bool> is_rung_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_DOORBELL_H_
