#include "pipeline/apply_stage.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <utility>

#include "applier/progress_row.h"
#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pipeline/beside.h"
#include "pipeline/membership.h"
#include "pipeline/open_sides.h"
#include "pipeline/slot_use.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// A head batch that does not move for so long is suspected to wait for a later lane's locks.
constexpr milliseconds kStall{300};
// A zombie's transaction gets so long to end after its backend was told to.
constexpr int kZombieWaitMs = 5000;
// Green counts as far from this round trip on. Lanes hide it, as batches grow while they wait; more
// than a few only get into each other's way (bench/README.md). Small COPYs are not worth it.
constexpr std::chrono::microseconds kFar{1000};
// No busy moment of a near server takes so long several times.
constexpr std::chrono::microseconds kSurelyFar{4000};
constexpr int kAskedAtMost = 3;
constexpr size_t kNearLanes = 2;
constexpr size_t kFarLanes = 4;
// What COPY saves a row, against arrays (283k against 139k rows/s on one connection), and the round
// trips that it costs.
constexpr double kCopySavesMicros = 3.5;
constexpr double kCopyRoundTrips = 3;

// In all lanes together, whatever their number: memory of the transactions, before the last one of
// each batch, and rows, which wait for each other without need the more there are.
constexpr size_t kLaneBytes = 48 << 20;
constexpr size_t kLaneRows = 120'000;
constexpr size_t kBatchBytesMin = 1 << 20;

// Whoever connects beside it is not waited for when it fails.
pg::Connection OpenTarget(const Deployment& deployment, Supervisor& supervisor,
                          std::unique_ptr<pg::Connection> opened) {
  try {
    return OpenOrTake(std::move(opened), deployment.target,
                      SessionOptionsFor("target", deployment.name, &supervisor.interrupt()));
  } catch (...) {
    supervisor.interrupt().Raise();
    throw;
  }
}

// Origins belong to the whole server, which may have a deployment of this name in other databases.
std::string OriginPrefix(pg::Connection& green, const std::string& deployment) {
  const auto row = green.Exec("SELECT oid FROM pg_database WHERE datname = current_database()");
  return fmt::format("pgteal_{}_{}_", deployment, row.Text(0, 0));
}

// Seldom asked, so with a session of its own. Of the catalogs alone, which no lock keeps from us:
// whoever holds one may be waiting for us, as a synchronous standby.
std::optional<applier::TableName> PublishedName(const Deployment& deployment,
                                                const pg::Interrupt& interrupt, pg::Oid table) {
  pg::Connection blue(deployment.source, SessionOptionsFor("names", deployment.name, &interrupt));
  const auto published = ReadMembership(blue, deployment.name);
  const auto found = published.tables.find(std::to_string(table.value));
  if (found == published.tables.end() || found->second.ways.empty()) return std::nullopt;
  return found->second.key;
}

size_t CopyRowsMin(std::chrono::microseconds round_trip) {
  if (round_trip < kFar) return applier::kCopyRowsMin;
  const double rows = static_cast<double>(round_trip.count()) * kCopyRoundTrips / kCopySavesMicros;
  return std::max(applier::kCopyRowsMin, static_cast<size_t>(rows));
}

}  // namespace

ApplyStage::ApplyStage(const Deployment& deployment, const StreamOptions& options,
                       std::optional<uint64_t>& generation, Supervisor& supervisor,
                       Doorbell& wake_producer, std::unique_ptr<pg::Connection> green)
    : deployment_(deployment),
      options_(options),
      generation_(generation),
      supervisor_(supervisor),
      wake_producer_(wake_producer),
      opened_(Beside([&deployment, &options, &supervisor] {
        return OpenCatalog(deployment, options, supervisor.interrupt());
      })),
      green_(OpenTarget(deployment, supervisor, std::move(green))),
      writers_(deployment) {}

ApplyStage::~ApplyStage() { Stop(); }

ApplyStage::Opened ApplyStage::OpenCatalog(const Deployment& deployment,
                                           const StreamOptions& options,
                                           const pg::Interrupt& interrupt) {
  auto session = std::make_unique<pg::Connection>(
      deployment.target, SessionOptionsFor("catalog", deployment.name, &interrupt));
  const bool replica_role = pg::MaySetReplicaRole(*session);
  const bool has_origins = options.origin == OriginMode::kAuto && pg::MayUseOrigins(*session);
  std::string origin_prefix = has_origins ? OriginPrefix(*session, deployment.name) : "";
  const bool lacks_schema = applier::IsSchemaLacking(*session);
  return {.session = std::move(session),
          .replica_role = replica_role,
          .origin_prefix = std::move(origin_prefix),
          .lacks_schema = lacks_schema};
}

void ApplyStage::OpenLanes(size_t at_once) {
  MeasureDistance();
  auto opened = opened_.get();
  replica_role_ = opened.replica_role;
  origin_prefix_ = std::move(opened.origin_prefix);
  lacks_schema_ = opened.lacks_schema;
  applier::TargetCatalog::AskBlue ask_blue;  // a replay has none
  if (!deployment_.source.settings().empty()) {
    ask_blue = [this](pg::Oid table) {
      return PublishedName(deployment_, supervisor_.interrupt(), table);
    };
  }
  catalog_ = std::make_unique<applier::TargetCatalog>(std::move(opened.session), deployment_.name,
                                                      replica_role_, deployment_.sides,
                                                      std::move(ask_blue));
  for (size_t i = 0; i < std::min(at_once, lane_count_); ++i) {
    appliers_.push_back(Beside([this, i] { return OpenLane(i); }));
  }
}

// A busy moment does not count: asked again unless the answers so far are of a far server's kind,
// and once even then.
void ApplyStage::MeasureDistance() {
  for (int i = 0; i < kAskedAtMost && green_.shortest_answer() >= kFar; ++i) {
    green_.Exec("SELECT 1");
    if (green_.shortest_answer() >= kSurelyFar) break;
  }
  round_trip_ = green_.shortest_answer();
  is_far_ = round_trip_ >= kFar;
  lane_count_ = options_.lanes != 0 ? options_.lanes : is_far_ ? kFarLanes : kNearLanes;
  spdlog::debug("round trip to {} {} us, lanes {}", deployment_.sides.green, round_trip_.count(),
                lane_count_);
}

pg::Lsn ApplyStage::TakeOver() {
  if (lane_count_ == 0) OpenLanes(kAllLanes);
  // Our own lanes began after this session.
  EndLanes(green_, deployment_.name,
           "AND backend_start < (SELECT backend_start FROM pg_stat_activity"
           " WHERE pid = pg_backend_pid())",
           kZombieWaitMs);
  if (lacks_schema_) applier::EnsureSchema(green_);  // an older pgteal may have made it
  const auto row = applier::TakeOver(green_, deployment_.name, generation_, 6 * kZombieWaitMs);
  generation_ = row.generation;
  catalog_->LearnHolders();
  progress_ = std::make_unique<Progress>(row.end_lsn, wake_producer_, row.commit_time);
  ring_ = std::make_unique<Transactions>(options_.ring_count_max, options_.ring_bytes_max);
  order_ = std::make_unique<CommitOrder>(lane_count_ + 1, supervisor_.interrupt());
  BuildLanes();
  return row.end_lsn;
}

applier::ApplierOptions ApplyStage::LaneOptions(size_t index) const {
  return {.slot = deployment_.name,
          .synchronous_commit = options_.synchronous_commit,
          .replica_role = replica_role_,
          .origin = origin_prefix_.empty() ? "" : origin_prefix_ + std::to_string(index),
          .on_conflict = options_.on_conflict,
          .sides = deployment_.sides,
          .copy_rows_min = CopyRowsMin(round_trip_)};
}

std::unique_ptr<applier::Applier> ApplyStage::OpenLane(size_t index) const {
  return std::make_unique<applier::Applier>(
      deployment_.target, SessionOptionsFor("lane", deployment_.name, &supervisor_.interrupt()),
      LaneOptions(index), *catalog_);
}

// Once green is ours. A lane's thread.
std::unique_ptr<applier::Applier> ApplyStage::OpenOwnLane(size_t index) const {
  auto applier = OpenLane(index);
  applier->Own(*generation_);
  return applier;
}

void ApplyStage::BuildLanes() {
  std::vector<std::unique_ptr<applier::Applier>> appliers;
  std::string own = "0";
  try {
    for (auto& opened : appliers_) {
      appliers.push_back(opened.get());
      own += fmt::format(", {}", appliers.back()->backend_pid());
    }
  } catch (...) {
    supervisor_.interrupt().Raise();  // nobody waits for the others
    throw;
  }
  appliers_.clear();
  // Those of a process that connected meanwhile and did not get the slot, or lost it.
  EndLanes(green_, deployment_.name, fmt::format("AND pid NOT IN ({})", own), kZombieWaitMs);
  appliers.resize(lane_count_);
  for (size_t i = 0; i < lane_count_; ++i) {
    if (appliers[i]) appliers[i]->Own(*generation_);
    const auto connect = [this, i] { return OpenOwnLane(i); };
    lanes_.push_back(std::make_unique<Lane>(i, std::move(appliers[i]), connect, *order_,
                                            *progress_, ring_->not_empty()));
  }
  BuildEarlyLane();
}

// Triggers and foreign keys that fire may look at rows that others change meanwhile.
void ApplyStage::BuildEarlyLane() {
  if (!replica_role_) return;
  const auto connect = [this] { return OpenOwnLane(lane_count_); };
  early_lane_ = std::make_unique<EarlyLane>(lane_count_, connect, *order_, *progress_,
                                            ring_->not_empty(), deployment_.sides);
}

std::jthread ApplyStage::StartWorker(std::atomic<size_t>& running,
                                     const std::function<void()>& run,
                                     const std::function<void()>& on_failure) {
  ++running;
  const auto end = [this, &running] {
    --running;
    supervisor_.wake().Ring();
  };
  const auto body = [run, end] {
    run();
    end();
  };
  return supervisor_.Start(body, [on_failure, end] {
    on_failure();
    end();
  });
}

void ApplyStage::Start(const std::atomic<bool>& is_behind) {
  BatcherOptions batcher_options = options_.batcher;
  if (is_far_) batcher_options.alone_changes_max = 0;
  auto& limits = batcher_options.limits;
  limits.bytes_max =
      std::min(limits.bytes_max, std::max(kBatchBytesMin, kLaneBytes / lane_count_));
  limits.rows_max = std::min(limits.rows_max, std::max<size_t>(1, kLaneRows / lane_count_));
  batcher_ =
      std::make_unique<Batcher>(batcher_options, *ring_, *catalog_, lanes_, early_lane_.get(),
                                *order_, *progress_, wake_producer_, is_behind);
  const auto lane_failed = [this] { LaneFailed(); };
  for (const auto& lane : lanes_) {
    lane_threads_.push_back(
        StartWorker(lanes_running_, [&lane = *lane] { lane.Run(); }, lane_failed));
  }
  if (early_lane_) {
    lane_threads_.push_back(
        StartWorker(lanes_running_, [this] { early_lane_->Run(); }, lane_failed));
  }
  // When it fails the lanes finish what they have.
  batcher_thread_ = StartWorker(batchers_running_, [this] { batcher_->Run(); }, [] {});
}

// The lanes behind a failed one wait for a turn that never comes.
void ApplyStage::LaneFailed() noexcept {
  supervisor_.interrupt().Raise();
  order_->WakeAll();
}

void ApplyStage::Tick(bool flushes) {
  supervisor_.Beat();
  try {
    if (flushes) FlushGreen();
    PollFlush();
    ResolveStall();
    if (early_lane_) early_lane_->LookForWaiters(green_);
    writers_.Look(green_);
  } catch (const pg::Interrupted&) {
    // A lane failed while green was asked, or that one is frozen. The first error, or the stop, is
    // what ends the session.
  }
}

void ApplyStage::PollFlush() {
  if (progress_->durable() >= progress_->applied()) return;
  progress_->GreenFlushed(green_.Exec("SELECT pg_current_wal_flush_lsn()").LsnAt(0, 0));
}

// Makes what has been committed durable now.
void ApplyStage::FlushGreen() {
  if (progress_->durable() >= progress_->applied()) return;
  applier::FlushProgress(green_, deployment_.name, *generation_);
  PollFlush();
}

// Ordered commit hides this deadlock from the server: the head batch waits for a lock of a later
// lane, which waits for the head's commit. The later one has to give way.
void ApplyStage::ResolveStall() {
  const uint64_t head = order_->committed() + 1;
  const auto now = Clock::now();
  if (head != stalled_sequence_) {
    stalled_sequence_ = head;
    stalled_since_ = now;
    return;
  }
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                                 [head](const auto& l) { return l->sequence() == head; });
  if (lane == lanes_.end()) {
    stalled_since_ = now;
    return;
  }
  if (now - stalled_since_ < kStall) return;
  stalled_since_ = now;
  AskBlockersToYield(**lane, head);
}

void ApplyStage::AskBlockersToYield(const Lane& head_lane, uint64_t head) {
  const auto blockers = green_.Exec(
      "WITH RECURSIVE chain(pid) AS (SELECT unnest(pg_blocking_pids($1::int))"
      " UNION SELECT unnest(pg_blocking_pids(chain.pid)) FROM chain) SELECT pid FROM chain",
      {std::to_string(head_lane.backend_pid())});
  for (int row = 0; row < blockers.rows(); ++row) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      const uint64_t sequence = lanes_[i]->sequence();
      if (lanes_[i]->backend_pid() != blockers.Int(row, 0) || sequence <= head) continue;
      spdlog::debug("batch {} holds locks that batch {} needs: it gives way", sequence, head);
      order_->AskToYield(i, sequence);
      green_.Exec("SELECT pg_cancel_backend($1)", {blockers.String(row, 0)});
    }
  }
}

void ApplyStage::Drain() {
  const auto deadline = Clock::now() + options_.stop_grace;
  const auto& interrupt = supervisor_.interrupt();
  batcher_->Stop();
  try {
    AwaitEnd(batchers_running_, deadline);
    StopLanes();
    AwaitEnd(lanes_running_, deadline);
    const bool has_ended = batchers_running_.load() + lanes_running_.load() == 0;
    if (has_ended && !interrupt.is_raised()) FlushGreen();
    while (!interrupt.is_raised() && progress_->durable() < progress_->applied() &&
           Clock::now() < deadline) {
      PollFlush();
      supervisor_.wake().Wait(Clock::now() + milliseconds(20));
    }
  } catch (const pg::Error&) {
    // Green is gone; what it has made durable is found out at the next start.
  }
  Stop();
}

void ApplyStage::AwaitEnd(const std::atomic<size_t>& running, Clock::time_point deadline) {
  while (running.load() > 0 && Clock::now() < deadline && !supervisor_.interrupt().is_raised()) {
    Tick();
    supervisor_.wake().Wait(Clock::now() + milliseconds(5));
  }
}

void ApplyStage::StopLanes() {
  for (const auto& lane : lanes_) lane->Stop();
  if (early_lane_) early_lane_->Stop();
}

void ApplyStage::Stop() {
  if (batcher_) batcher_->Stop();
  if (lanes_running_.load() + batchers_running_.load() > 0) {
    supervisor_.interrupt().Raise();
    order_->WakeAll();
  }
  StopLanes();
  lane_threads_.clear();
  batcher_thread_ = {};
}

}  // namespace pgteal::pipeline
