#include "pipeline/lane.h"

#include <utility>

namespace pgteal::pipeline {

Lane::Lane(size_t index, std::unique_ptr<applier::Applier> applier, Connect connect,
           CommitOrder& order, Progress& progress, Doorbell& batcher_doorbell)
    : index_(index),
      connect_(std::move(connect)),
      applier_(std::move(applier)),
      backend_pid_(applier_ ? applier_->backend_pid() : 0),
      order_(order),
      progress_(progress),
      batcher_doorbell_(batcher_doorbell) {}

void Lane::Give(std::unique_ptr<applier::Batch> batch) {
  batch_ = std::move(batch);
  sequence_.store(batch_->sequence, std::memory_order_release);
  doorbell_.Ring();
}

void Lane::WorkHere(applier::Batch& batch) {
  here_sequence_.store(batch.sequence, std::memory_order_release);
  Work(batch);
  here_sequence_.store(0, std::memory_order_release);
}

void Lane::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  doorbell_.Ring();
}

void Lane::Run() {
  while (true) {
    if (!is_free()) {
      Work(*batch_);
      batch_.reset();
      sequence_.store(0, std::memory_order_release);
      batcher_doorbell_.Ring();
    } else if (is_stopping_.load(std::memory_order_acquire)) {
      return;
    } else {
      doorbell_.Wait(Clock::now() + std::chrono::seconds(10));
    }
  }
}

void Lane::Work(applier::Batch& batch) {
  LaneTurn turn(order_, index_);
  if (!applier_) {
    applier_ = connect_();
    backend_pid_.store(applier_->backend_pid(), std::memory_order_relaxed);
  }
  Publish(batch, applier_->Apply(batch, turn), progress_, order_);
}

void Publish(const applier::Batch& batch, const applier::Applied& applied, Progress& progress,
             CommitOrder& order) {
  progress.Committed(batch.end_lsn, applied.insert_lsn, batch.commit_time);
  progress.GreenFlushed(applied.flush_lsn);
  auto& counters = progress.counters;
  counters.applied_transactions += batch.transaction_count;
  counters.applied_changes += batch.change_count;
  counters.batches += 1;
  counters.exact_batches += applied.was_exact ? 1 : 0;
  counters.conflicts += applied.conflicts;
  order.Committed(batch.sequence);
}

}  // namespace pgteal::pipeline
