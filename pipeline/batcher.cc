#include "pipeline/batcher.h"

#include <utility>

namespace pgteal::pipeline {

Batcher::Batcher(const BatcherOptions& options, Transactions& ring, applier::RelationMapper& mapper,
                 std::vector<std::unique_ptr<Lane>>& lanes, CommitOrder& order, Doorbell& space,
                 const std::atomic<bool>& is_behind)
    : options_(options),
      ring_(ring),
      lanes_(lanes),
      order_(order),
      space_(space),
      is_behind_(is_behind),
      builder_(options.limits, mapper) {}

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
  bool has_taken = false;
  while (!builder_.is_full()) {
    if (!carried_) {
      carried_ = ring_.TryPop();
      if (!carried_) break;
      has_taken = true;
    }
    if (builder_.is_empty()) opened_at_ = Clock::now();
    try {
      if (builder_.Add(carried_) == BatchBuilder::Added::kNeedsNext) break;
    } catch (...) {
      // What came before it is sound and goes to green first.
      WaitForCommits();
      if (!builder_.is_empty() && FreeLane() != nullptr) Dispatch(*FreeLane());
      WaitForCommits();
      throw;
    }
  }
  if (has_taken) space_.Ring();
}

bool Batcher::MayDispatch() const {
  if (builder_.is_empty() || barrier_ != 0) return false;
  if (builder_.is_full() || carried_) return true;
  // The ring is empty. Waiting is worth it only if blue is known to have more.
  return !is_behind_.load(std::memory_order_relaxed) ||
         Clock::now() - opened_at_ >= options_.linger;
}

Clock::time_point Batcher::NextLook() const {
  const auto now = Clock::now();
  const bool is_lingering = !builder_.is_empty() && barrier_ == 0 && FreeLane() != nullptr;
  return is_lingering ? opened_at_ + options_.linger : now + std::chrono::seconds(1);
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
  lane.Give(std::move(batch));
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
