#ifndef PGTEAL_PIPELINE_EARLY_LANE_H_
#define PGTEAL_PIPELINE_EARLY_LANE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "applier/applier.h"
#include "decoder/early_transaction.h"
#include "pipeline/commit_order.h"
#include "pipeline/doorbell.h"
#include "pipeline/early_stream.h"
#include "pipeline/progress.h"

namespace pgteal::pipeline {

// A connection to green that applies one large transaction while blue still sends it, beside the
// lanes. Nobody has to wait for it: it gives up as soon as somebody does, and the transaction goes
// the way of all others once blue has committed it. Connects when there is a first one.
class EarlyLane final : public decoder::EarlyApply {
 public:
  using Connect = std::function<std::unique_ptr<applier::Applier>()>;

  // `index`: its place in the order. `batcher_doorbell`: rung after a commit. `sides`: for
  // messages; outlives it.
  EarlyLane(size_t index, Connect connect, CommitOrder& order, Progress& progress,
            Doorbell& batcher_doorbell, const applier::SideNames& sides);

  // Receiver thread. The first call has the lane connect: nothing is taken that could not be
  // committed.
  bool WantsOne() override;
  std::shared_ptr<decoder::EarlyTransaction> Begin(pg::Xid xid,
                                                   std::unique_ptr<decoder::MessageTail> tail,
                                                   decoder::SpooledState state,
                                                   pg::Lsn fence) override;

  // Batcher thread, after it has claimed the transaction that this lane works on.
  void Give(std::unique_ptr<applier::Batch> batch);

  // Main thread. Gives up when another session of green waits for one of its locks. After Stop()
  // ends the wait of a transaction that nobody has claimed, for a lock that may be kept for hours.
  void LookForWaiters(pg::Connection& green);

  // Ends after the batch in hand; a transaction that nobody has claimed is given up. Any thread.
  void Stop();
  // The lane's thread body. Lets out what ends the session.
  void Run();

 private:
  void Work(EarlyStream& early);
  bool Write(EarlyStream& early);
  void AwaitApplied(const EarlyStream& early, pg::Lsn lsn);
  void AwaitFate(EarlyStream& early);
  void Commit(bool is_written);
  void ConnectNow();
  std::shared_ptr<EarlyStream> Current() const;
  void SetCurrent(std::shared_ptr<EarlyStream> early);

  const size_t index_;
  const Connect connect_;
  CommitOrder& order_;
  Progress& progress_;
  Doorbell& batcher_doorbell_;
  const applier::SideNames& sides_;
  Doorbell doorbell_;
  enum class Session : uint8_t { kNone, kWanted, kReady, kRefused };
  std::atomic<Session> session_ = Session::kNone;  // kReady releases applier_ and backend_pid_
  std::unique_ptr<applier::Applier> applier_;
  std::atomic<int> backend_pid_ = 0;
  Clock::time_point next_look_{};
  bool has_seen_stop_ = false;  // the main thread
  // Cleared by the receiver before it sets early_; set by the lane when it is done with it.
  std::atomic<bool> is_free_ = true;
  mutable std::mutex mutex_;
  std::shared_ptr<EarlyStream> early_;  // protected by mutex_
  // Set by the batcher, zero without a batch: hands `batch_` over.
  std::atomic<uint64_t> sequence_ = 0;
  std::unique_ptr<applier::Batch> batch_;
  std::atomic<bool> is_stopping_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_EARLY_LANE_H_
