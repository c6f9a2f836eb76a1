#include "pipeline/build_queue.h"

#include <algorithm>
#include <chrono>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

// How soon a waiting worker sees an interrupt.
constexpr std::chrono::milliseconds kTick{100};

}  // namespace

BuildQueue::BuildQueue(const std::vector<Statement>& builds, size_t jobs,
                       const pg::Interrupt& interrupt)
    : jobs_(jobs), interrupt_(interrupt), held_(builds.begin(), builds.end()) {}

void BuildQueue::Release(const TableKey& table) {
  const std::lock_guard lock(mutex_);
  for (auto it = held_.begin(); it != held_.end();) {
    const auto here = it++;
    if (here->table != table) continue;
    const auto place = std::find_if(free_.begin(), free_.end(), [&](const Statement& other) {
      return other.weight < here->weight;
    });
    free_.splice(place, held_, here);
  }
  released_.notify_all();
}

void BuildQueue::ReleaseAll() {
  const std::lock_guard lock(mutex_);
  free_.merge(held_, [](const Statement& a, const Statement& b) { return a.weight > b.weight; });
  is_all_free_ = true;
  released_.notify_all();
}

std::optional<BuildQueue::Turn> BuildQueue::Next() {
  std::unique_lock lock(mutex_);
  while (free_.empty()) {
    if (is_all_free_) return std::nullopt;
    if (interrupt_.is_raised()) throw pg::Interrupted();
    released_.wait_for(lock, kTick);
  }
  Turn turn{.build = std::move(free_.front())};
  free_.pop_front();
  ++running_;
  // While there is an index for each job, workers of a single build would only be in the way.
  const size_t busy = running_ + free_.size();
  if (is_all_free_ && busy < jobs_) turn.helpers = jobs_ - busy;
  return turn;
}

void BuildQueue::Finish() {
  const std::lock_guard lock(mutex_);
  --running_;
}

}  // namespace pgteal::pipeline
