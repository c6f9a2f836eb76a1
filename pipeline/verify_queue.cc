#include "pipeline/verify_queue.h"

#include <algorithm>
#include <utility>

namespace pgteal::pipeline {

std::vector<VerifyTask> SplitUnits(const std::vector<VerifyUnit>& units, size_t table,
                                   uint64_t piece_bytes) {
  std::vector<VerifyTask> tasks;
  for (size_t at = 0; at < units.size(); ++at) {
    const auto& unit = units[at];
    const uint64_t wanted = 1 + unit.bytes / std::max<uint64_t>(piece_bytes, 1);
    const uint64_t pieces = unit.is_plain ? std::clamp<uint64_t>(wanted, 1, unit.pages) : 1;
    if (pieces <= 1) {
      tasks.push_back({.table = table, .unit = at, .pages = std::nullopt, .bytes = unit.bytes});
      continue;
    }
    for (uint64_t piece = 0; piece < pieces; ++piece) {
      PageRange pages{.begin = unit.pages * piece / pieces, .end = std::nullopt};
      // The last one takes what the table has grown by, too.
      if (piece + 1 < pieces) pages.end = unit.pages * (piece + 1) / pieces;
      tasks.push_back({.table = table, .unit = at, .pages = pages, .bytes = unit.bytes / pieces});
    }
  }
  return tasks;
}

void VerifyQueue::Add(Side side, std::vector<VerifyTask> tasks) {
  const std::lock_guard lock(mutex_);
  auto& waiting = lane(side).tasks;
  waiting.insert(waiting.end(), tasks.begin(), tasks.end());
  changed_.notify_all();
}

void VerifyQueue::AddFirst(Side side, std::vector<VerifyTask> tasks) {
  const std::lock_guard lock(mutex_);
  auto& waiting = lane(side).tasks;
  waiting.insert(waiting.begin(), tasks.begin(), tasks.end());
  changed_.notify_all();
}

std::optional<VerifyTask> VerifyQueue::Next(Side side) {
  std::unique_lock lock(mutex_);
  auto& mine = lane(side);
  while (!is_closed_) {
    const auto now = Clock::now();
    if (mine.tasks.empty()) {
      changed_.wait(lock);
    } else if (now < mine.next_at) {
      changed_.wait_until(lock, mine.next_at);
    } else {
      const VerifyTask task = mine.tasks.front();
      mine.tasks.pop_front();
      if (rate_ > 0) {
        const double seconds = static_cast<double>(task.bytes) / static_cast<double>(rate_);
        mine.next_at = now + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(seconds));
      }
      return task;
    }
  }
  return std::nullopt;
}

void VerifyQueue::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}

}  // namespace pgteal::pipeline
