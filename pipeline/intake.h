#ifndef PGTEAL_PIPELINE_INTAKE_H_
#define PGTEAL_PIPELINE_INTAKE_H_

#include <atomic>
#include <cstdint>
#include <limits>

#include "pg/lsn.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// How far the batcher may take transactions from the ring: without end, up to an LSN that green is
// to stop at exactly, or not at all. What was taken before goes on to green in any case. The main
// thread decides; the batcher obeys, and says when it does.
class Intake {
 public:
  // `batcher`: what it waits on; borrowed.
  explicit Intake(Doorbell& batcher) : batcher_(batcher) {}

  void Open() { Set(kOpen); }
  void Close() { Set(kClosed); }
  // Nothing that ends after it; and progress comes to stand at it, even if nothing ends there.
  void OpenUntil(pg::Lsn lsn) { Set(lsn.value); }

  bool is_open() const { return limit() == kOpen; }
  // The batcher has seen Close(): nothing more leaves the ring.
  bool is_closed() const { return seen_.load(std::memory_order_acquire) == kClosed; }

  // Batcher thread, before each round of taking.
  void Look() { seen_.store(limit(), std::memory_order_release); }
  bool Lets(pg::Lsn end_lsn) const { return end_lsn.value <= limit(); }
  bool lets_nothing() const { return limit() == kClosed; }
  // Zero when there is none.
  pg::Lsn stop_lsn() const {
    const uint64_t limit_now = limit();
    return {limit_now == kOpen ? kClosed : limit_now};
  }

 private:
  static constexpr uint64_t kOpen = std::numeric_limits<uint64_t>::max();
  static constexpr uint64_t kClosed = 0;

  void Set(uint64_t limit) {
    if (limit_.exchange(limit, std::memory_order_acq_rel) != limit) batcher_.Ring();
  }
  uint64_t limit() const { return limit_.load(std::memory_order_acquire); }

  Doorbell& batcher_;
  std::atomic<uint64_t> limit_ = kOpen;
  std::atomic<uint64_t> seen_ = kOpen;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_INTAKE_H_
