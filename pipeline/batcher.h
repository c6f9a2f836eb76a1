#ifndef PGTEAL_PIPELINE_BATCHER_H_
#define PGTEAL_PIPELINE_BATCHER_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "pipeline/batch_builder.h"
#include "pipeline/commit_order.h"
#include "pipeline/early_lane.h"
#include "pipeline/intake.h"
#include "pipeline/lane.h"
#include "pipeline/progress.h"
#include "pipeline/ring.h"

namespace pgteal::pipeline {

struct BatcherOptions {
  BatchLimits limits;
  // While more is on its way from blue, a batch that is not full waits so long for company; longer
  // when it is old anyway, because larger batches cost green less.
  std::chrono::milliseconds linger{20};
  std::chrono::milliseconds linger_far{100};
  // What was committed on blue so long ago counts as old. By two servers' clocks.
  std::chrono::milliseconds far{2000};
  // A batch of so few changes that comes alone is applied by the batcher itself. What follows waits
  // in the ring meanwhile: for a green that is a round trip of milliseconds away, none.
  uint64_t alone_changes_max = 50;
};

// Thread between the ring and the lanes: folds transactions into batches and gives each to a free
// lane; while none is free the batch grows. Touches no socket except green's catalog and, for a
// small batch that comes alone, a lane's.
class Batcher {
 public:
  using Transactions = Ring<decoder::Transaction>;

  // `space`: rung after transactions were taken from the ring. `is_behind`: set by the receiver
  // while blue has more to send. `early_lane`: null for none.
  Batcher(const BatcherOptions& options, Transactions& ring, applier::RelationMapper& mapper,
          std::vector<std::unique_ptr<Lane>>& lanes, EarlyLane* early_lane, CommitOrder& order,
          const Progress& progress, Doorbell& space, const std::atomic<bool>& is_behind);

  // The thread body. Ends after Stop(), leaving undispatched transactions to the next session.
  void Run();
  void Stop();
  // Main thread.
  Intake& intake() { return intake_; }

 private:
  void TakeTransactions();
  bool AddCarried();
  void StopAtLimit();
  void Dispatch(Lane& lane);
  bool ComesAlone(const applier::Batch& batch) const;
  Lane* FreeLane() const;
  bool MayDispatch() const;
  std::chrono::milliseconds Linger() const;
  Clock::time_point NextLook() const;
  void WaitForCommits();

  const BatcherOptions options_;
  Transactions& ring_;
  std::vector<std::unique_ptr<Lane>>& lanes_;
  EarlyLane* const early_lane_;
  CommitOrder& order_;
  const Progress& progress_;
  Doorbell& space_;
  const std::atomic<bool>& is_behind_;
  BatchBuilder builder_;
  Intake intake_;
  // Taken, but not in the batch: it needs one of its own, or is past the intake's limit.
  std::unique_ptr<decoder::Transaction> carried_;
  pg::Lsn added_lsn_;              // end of the last transaction in a batch
  Clock::time_point opened_at_{};  // of the batch being built
  uint64_t barrier_ = 0;           // sequence of a barrier batch that has not committed
  uint64_t dispatched_ = 0;
  uint64_t exact_batches_ = 0;  // when last asked
  uint64_t wary_until_ = 0;     // sequence
  std::atomic<bool> is_stopping_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BATCHER_H_
