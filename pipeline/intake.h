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
  // Nothing more leaves the ring: the batcher has seen Close(), or will before it takes anything.
  bool is_closed() const {
    return seen_.load() == kClosed || (is_busy_.load() && limit() == kClosed);
  }

  // Batcher thread, before each round of taking.
  void Look() { seen_.store(limit()); }
  // Around what may keep the batcher from looking for long.
  void SetBusy(bool is_busy) { is_busy_.store(is_busy); }
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
    if (limit_.exchange(limit) != limit) batcher_.Ring();
  }
  // Sequentially consistent, as all here: whoever sees the batcher busy has set a limit that the
  // batcher sees when it is not busy any more.
  uint64_t limit() const { return limit_.load(); }

  Doorbell& batcher_;
  std::atomic<uint64_t> limit_ = kOpen;
  std::atomic<uint64_t> seen_ = kOpen;
  std::atomic<bool> is_busy_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_INTAKE_H_
