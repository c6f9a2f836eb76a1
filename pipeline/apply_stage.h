#ifndef PGTEAL_PIPELINE_APPLY_STAGE_H_
#define PGTEAL_PIPELINE_APPLY_STAGE_H_

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "applier/target_catalog.h"
#include "pipeline/batcher.h"
#include "pipeline/early_lane.h"
#include "pipeline/lane.h"
#include "pipeline/options.h"
#include "pipeline/supervisor.h"
#include "pipeline/writer_watch.h"

namespace pgteal::pipeline {

inline constexpr size_t kAllLanes = SIZE_MAX;

// Everything behind the ring: batcher, lanes, the order of their commits and green's progress row.
// Whoever fills the ring (a receiver, a reader of captures) is its producer. Driven by the main
// thread, which calls Tick() several times a second.
class ApplyStage {
 public:
  using Transactions = Ring<decoder::Transaction>;

  // Connects to green. `generation`: ours once we have taken over, kept from one session of a
  // process to the next. `green`: a session to go on with, or null. `wake_producer`: rung when the
  // ring has space and when progress moves.
  ApplyStage(const Deployment& deployment, const StreamOptions& options,
             std::optional<uint64_t>& generation, Supervisor& supervisor, Doorbell& wake_producer,
             std::unique_ptr<pg::Connection> green = {});
  // Ends what Drain() has not ended; batches in hand are rolled back.
  ~ApplyStage();
  ApplyStage(const ApplyStage&) = delete;
  ApplyStage& operator=(const ApplyStage&) = delete;

  pg::Connection& green() { return green_; }
  // Has so many lanes connect, beside whatever follows, once it is likely that green becomes ours.
  // The others do when there is work for them.
  void OpenLanes(size_t at_once);
  // Makes green ours, ends what a former process left there, and builds ring and lanes. Returns
  // where to resume. Throws TakenOver and what connecting throws.
  pg::Lsn TakeOver();
  // Starts the threads. `is_behind`: set by the producer while it has more to give; outlives them.
  void Start(const std::atomic<bool>& is_behind);

  // After TakeOver().
  Transactions& ring() { return *ring_; }
  Progress& progress() { return *progress_; }
  // After TakeOver(): for the assembler. Null when nothing may be applied early.
  decoder::EarlyApply* early_apply() { return early_lane_.get(); }
  // After Start(): how far transactions are taken from the ring.
  Intake& intake() { return batcher_->intake(); }

  // Looks after green's flush position and after lanes that wait for each other. `flushes`: for
  // when nothing is in a lane's hands and somebody waits for the end, as green's WAL writer may
  // take more than half a second.
  void Tick(bool flushes = false);
  // No new batches; those in hand commit and what they made durable is found out, within
  // `stop_grace`.
  void Drain();
  // Ends the threads, which have to hurry unless Drain() came before.
  void Stop();

 private:
  // A session for the catalog, and what its role may do on green.
  struct Opened {
    std::unique_ptr<pg::Connection> session;
    bool replica_role;
    std::string origin_prefix;  // of the lanes' replication origins; empty: none may be used
    bool lacks_schema;
  };

  static Opened OpenCatalog(const Deployment& deployment, const StreamOptions& options,
                            const pg::Interrupt& interrupt);
  applier::ApplierOptions LaneOptions(size_t index) const;
  std::unique_ptr<applier::Applier> OpenLane(size_t index) const;
  std::unique_ptr<applier::Applier> OpenOwnLane(size_t index) const;
  void MeasureDistance();
  void BuildLanes();
  void BuildEarlyLane();
  std::jthread StartWorker(std::atomic<size_t>& running, const std::function<void()>& run,
                           const std::function<void()>& on_failure);
  void LaneFailed() noexcept;
  void AwaitEnd(const std::atomic<size_t>& running, Clock::time_point deadline);
  void StopLanes();
  void PollFlush();
  void FlushGreen();
  void ResolveStall();
  void AskBlockersToYield(const Lane& head_lane, uint64_t head);

  const Deployment& deployment_;
  const StreamOptions& options_;
  std::optional<uint64_t>& generation_;
  Supervisor& supervisor_;
  Doorbell& wake_producer_;
  std::future<Opened> opened_;  // until the lanes are
  pg::Connection green_;
  std::unique_ptr<applier::TargetCatalog> catalog_;
  std::unique_ptr<Progress> progress_;
  bool replica_role_ = false;
  std::string origin_prefix_;
  bool lacks_schema_ = false;
  std::chrono::microseconds round_trip_{};
  size_t lane_count_ = 0;  // zero before OpenLanes()
  bool is_far_ = false;
  std::vector<std::future<std::unique_ptr<applier::Applier>>> appliers_;  // until there are lanes_
  std::unique_ptr<Transactions> ring_;
  std::unique_ptr<CommitOrder> order_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<EarlyLane> early_lane_;
  std::unique_ptr<Batcher> batcher_;
  WriterWatch writers_;
  uint64_t stalled_sequence_ = 0;
  Clock::time_point stalled_since_{};

  std::atomic<size_t> batchers_running_ = 0;
  std::atomic<size_t> lanes_running_ = 0;
  // Last, so that they end first.
  std::jthread batcher_thread_;
  std::vector<std::jthread> lane_threads_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_APPLY_STAGE_H_
