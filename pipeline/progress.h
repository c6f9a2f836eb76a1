#ifndef PGTEAL_PIPELINE_PROGRESS_H_
#define PGTEAL_PIPELINE_PROGRESS_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

#include "pg/lsn.h"
#include "pg/timestamp.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// Counters for people; each is exact, together they are not a snapshot.
struct Counters {
  std::atomic<uint64_t> received_bytes = 0;
  std::atomic<uint64_t> received_transactions = 0;
  std::atomic<uint64_t> applied_transactions = 0;
  std::atomic<uint64_t> applied_changes = 0;
  std::atomic<uint64_t> batches = 0;
  std::atomic<uint64_t> exact_batches = 0;
  std::atomic<uint64_t> conflicts = 0;
};

// What is committed on green and what of it survives a crash of green. Lanes report in commit
// order; anyone reads. The lock is taken once a batch.
class Progress {
 public:
  // `changed` is rung whenever a position moves; borrowed. `commit_time`: of what is there already.
  Progress(pg::Lsn start, Doorbell& changed, pg::Timestamp commit_time = {});

  // After a commit. `green_lsn`: green's WAL position that has to be flushed for it to be durable.
  void Committed(pg::Lsn end_lsn, pg::Lsn green_lsn, pg::Timestamp commit_time);
  // Green's WAL is flushed up to here.
  void GreenFlushed(pg::Lsn green_lsn);

  void Received(pg::Lsn lsn) { received_.store(lsn.value, std::memory_order_relaxed); }
  pg::Lsn received() const { return {received_.load(std::memory_order_relaxed)}; }
  // Every transaction that ends at or before it has been put into the ring.
  void Complete(pg::Lsn lsn) { complete_.store(lsn.value, std::memory_order_release); }
  pg::Lsn complete() const { return {complete_.load(std::memory_order_acquire)}; }
  pg::Lsn applied() const { return {applied_.load(std::memory_order_acquire)}; }
  pg::Lsn durable() const { return {durable_.load(std::memory_order_acquire)}; }
  // Commit time on blue of the last transaction committed on green.
  pg::Timestamp commit_time() const { return {commit_time_.load(std::memory_order_relaxed)}; }

  Counters counters;

 private:
  struct Pending {
    pg::Lsn end_lsn;
    pg::Lsn green_lsn;
  };

  Doorbell& changed_;
  std::atomic<uint64_t> received_;
  std::atomic<uint64_t> complete_;
  std::atomic<uint64_t> applied_;
  std::atomic<uint64_t> durable_;
  std::atomic<int64_t> commit_time_ = 0;
  std::mutex mutex_;
  std::deque<Pending> pending_;  // protected by mutex_
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_PROGRESS_H_
