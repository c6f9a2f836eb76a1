#ifndef PGTEAL_PIPELINE_LANE_H_
#define PGTEAL_PIPELINE_LANE_H_

#include <atomic>
#include <functional>
#include <memory>

#include "applier/applier.h"
#include "pipeline/commit_order.h"
#include "pipeline/doorbell.h"
#include "pipeline/progress.h"

namespace pgteal::pipeline {

// Tells everybody of a batch that its lane has committed.
void Publish(const applier::Batch& batch, const applier::Applied& applied, Progress& progress,
             CommitOrder& order);

// One connection to green at work: takes a batch at a time and publishes its commit. The batcher
// hands over with Give() while is_free(); Run() is the lane's thread. Or the batcher does the work
// itself.
class Lane {
 public:
  using Connect = std::function<std::unique_ptr<applier::Applier>()>;

  // `applier`: null for a lane that connects when it has its first batch.
  Lane(size_t index, std::unique_ptr<applier::Applier> applier, Connect connect, CommitOrder& order,
       Progress& progress, Doorbell& batcher_doorbell);

  // Batcher thread.
  bool is_free() const { return sequence_.load(std::memory_order_acquire) == 0; }
  void Give(std::unique_ptr<applier::Batch> batch);
  // Batcher thread, while is_free(): spares the hand-over when nothing else is to be done
  // meanwhile. Lets the applier's errors out.
  void WorkHere(applier::Batch& batch);

  // Ends after the batch in hand. Any thread.
  void Stop();
  // The lane's thread body. Lets the applier's errors out.
  void Run();

  // Any thread: the batch in hand, 0 for none.
  uint64_t sequence() const {
    const uint64_t given = sequence_.load(std::memory_order_acquire);
    return given != 0 ? given : here_sequence_.load(std::memory_order_acquire);
  }
  // Any thread: 0 before it has connected.
  int backend_pid() const { return backend_pid_.load(std::memory_order_relaxed); }

 private:
  void Work(applier::Batch& batch);

  const size_t index_;
  const Connect connect_;
  std::unique_ptr<applier::Applier> applier_;  // whoever works on a batch
  std::atomic<int> backend_pid_;
  CommitOrder& order_;
  Progress& progress_;
  Doorbell& batcher_doorbell_;
  Doorbell doorbell_;
  std::atomic<bool> is_stopping_ = false;
  // Written by the batcher (a batch is there), cleared by the lane (it is committed): the release
  // stores hand `batch_` over.
  std::atomic<uint64_t> sequence_ = 0;
  std::unique_ptr<applier::Batch> batch_;
  std::atomic<uint64_t> here_sequence_ = 0;  // of what the batcher works on itself
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LANE_H_
