#include "pipeline/batcher.h"

#include <chrono>
#include <utility>

namespace pgteal::pipeline {
namespace {

// After a batch that was repeated change by change so many are small, so that the next one that has
// to be costs less.
constexpr uint64_t kWaryBatches = 20;
// While the intake is not open, what the ring lets through may change without a ring of the bell.
constexpr std::chrono::milliseconds kLimitedLook{3};

}  // namespace

Batcher::Batcher(const BatcherOptions& options, Transactions& ring, applier::RelationMapper& mapper,
                 std::vector<std::unique_ptr<Lane>>& lanes, EarlyLane* early_lane,
                 CommitOrder& order, const Progress& progress, Doorbell& space,
                 const std::atomic<bool>& is_behind)
    : options_(options),
      ring_(ring),
      lanes_(lanes),
      early_lane_(early_lane),
      order_(order),
      progress_(progress),
      space_(space),
      is_behind_(is_behind),
      builder_(options.limits, mapper),
      intake_(ring.not_empty()),
      added_lsn_(progress.applied()) {}

void Batcher::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  ring_.not_empty().Ring();
}

void Batcher::Run() {
  while (!is_stopping_.load(std::memory_order_acquire)) {
    TakeTransactions();
    if (barrier_ != 0 && order_.committed() >= barrier_) barrier_ = 0;
    Lane* lane = MayDispatch() ? FreeLane() : nullptr;
    if (lane != nullptr) {
      Dispatch(*lane);
    } else {
      // Rung by the receiver (a transaction) and by the lanes (a commit).
      ring_.not_empty().Wait(NextLook());
    }
  }
}

void Batcher::TakeTransactions() {
  intake_.Look();
  bool has_taken = false;
  while (!builder_.is_full() && !intake_.lets_nothing()) {
    if (!carried_) {
      carried_ = ring_.TryPop();
      if (!carried_) break;
      has_taken = true;
    }
    if (!intake_.Lets(carried_->end_lsn) || !AddCarried()) break;
  }
  if (has_taken) space_.Ring();
  StopAtLimit();
}

// False when it has to begin a batch of its own.
bool Batcher::AddCarried() {
  if (builder_.is_empty()) opened_at_ = Clock::now();
  const pg::Lsn end_lsn = carried_->end_lsn;
  try {
    if (builder_.Add(carried_) == BatchBuilder::Added::kNeedsNext) return false;
  } catch (...) {
    // What came before it is sound and goes to green first.
    WaitForCommits();
    if (!builder_.is_empty() && FreeLane() != nullptr) Dispatch(*FreeLane());
    WaitForCommits();
    throw;
  }
  added_lsn_ = end_lsn;
  return true;
}

// Once nothing that ends before the limit can come any more, progress is brought to stand at the
// limit itself: then whoever reads green's progress row knows that green is at that LSN exactly.
void Batcher::StopAtLimit() {
  const pg::Lsn stop = intake_.stop_lsn();
  if (!stop.is_valid() || added_lsn_ >= stop || builder_.is_full()) return;
  // Asked before the ring: what was complete by then is in it.
  const bool is_complete = progress_.complete() >= stop;
  const bool is_reached =
      carried_ ? !intake_.Lets(carried_->end_lsn) : is_complete && ring_.count() == 0;
  if (!is_reached) return;
  auto beyond = std::move(carried_);
  carried_ = std::make_unique<decoder::Transaction>();
  carried_->end_lsn = stop;
  carried_->commit_time = pg::Timestamp::From(std::chrono::system_clock::now());
  static_cast<void>(AddCarried());  // a batch that is not full takes it
  carried_ = std::move(beyond);
}

bool Batcher::MayDispatch() const {
  if (builder_.is_empty() || barrier_ != 0) return false;
  if (builder_.is_full() || carried_) return true;
  // The ring is empty. Waiting is worth it only if blue is known to have more.
  return !is_behind_.load(std::memory_order_relaxed) || Clock::now() - opened_at_ >= Linger();
}

std::chrono::milliseconds Batcher::Linger() const {
  const auto now = pg::Timestamp::From(std::chrono::system_clock::now());
  const auto age = std::chrono::microseconds(now.micros - builder_.commit_time().micros);
  return age < options_.far ? options_.linger : options_.linger_far;
}

Clock::time_point Batcher::NextLook() const {
  const auto now = Clock::now();
  if (!intake_.is_open()) return now + kLimitedLook;
  const bool is_lingering = !builder_.is_empty() && barrier_ == 0 && FreeLane() != nullptr;
  return is_lingering ? opened_at_ + Linger() : now + std::chrono::seconds(1);
}

Lane* Batcher::FreeLane() const {
  for (const auto& lane : lanes_) {
    if (lane->is_free()) return lane.get();
  }
  return nullptr;
}

void Batcher::Dispatch(Lane& lane) {
  auto batch = builder_.Take(order_.committed());
  dispatched_ = batch->sequence;
  if (batch->is_barrier) barrier_ = batch->sequence;
  const uint64_t exact = progress_.counters.exact_batches.load(std::memory_order_relaxed);
  if (std::exchange(exact_batches_, exact) != exact) wary_until_ = dispatched_ + kWaryBatches;
  builder_.SetWary(dispatched_ < wary_until_);
  // What has been applied early is a batch of its own, as everything that is read from a log.
  const auto early = batch->transactions.back()->early;
  if (early_lane_ != nullptr && early != nullptr && early->Claim()) {
    early_lane_->Give(std::move(batch));
  } else if (ComesAlone(*batch)) {
    intake_.SetBusy(true);
    lane.WorkHere(*batch);
    intake_.SetBusy(false);
  } else {
    lane.Give(std::move(batch));
  }
}

// The batch before it has been committed and there is nothing to make another one of.
bool Batcher::ComesAlone(const applier::Batch& batch) const {
  return options_.alone_changes_max > 0 && batch.change_count <= options_.alone_changes_max &&
         !carried_ && ring_.count() == 0 && order_.committed() + 1 == batch.sequence &&
         !is_behind_.load(std::memory_order_relaxed);
}

void Batcher::WaitForCommits() {
  const auto is_waiting = [this] {
    return order_.committed() < dispatched_ || FreeLane() == nullptr;
  };
  while (is_waiting() && !is_stopping_.load(std::memory_order_acquire)) {
    ring_.not_empty().Wait(Clock::now() + std::chrono::milliseconds(100));
  }
}

}  // namespace pgteal::pipeline
