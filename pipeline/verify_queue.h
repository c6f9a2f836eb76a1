#ifndef PGTEAL_PIPELINE_VERIFY_QUEUE_H_
#define PGTEAL_PIPELINE_VERIFY_QUEUE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "pipeline/doorbell.h"
#include "pipeline/verify_plan.h"
#include "pipeline/verify_sql.h"

namespace pgteal::pipeline {

// A unit of a table, or some of its pages, to be read once on one side.
struct VerifyTask {
  size_t table = 0;
  size_t unit = 0;
  std::optional<PageRange> pages;
  uint64_t bytes = 0;
};

// The tasks of one side of one table. `piece_bytes`: about so much is read by one statement.
std::vector<VerifyTask> SplitUnits(const std::vector<VerifyUnit>& units, size_t table,
                                   uint64_t piece_bytes);

// Hands tasks to the workers of each side, no faster than a rate. Thread-safe.
class VerifyQueue {
 public:
  // 0: as fast as it goes.
  explicit VerifyQueue(uint64_t bytes_per_second_max) : rate_(bytes_per_second_max) {}

  void Add(Side side, std::vector<VerifyTask> tasks);
  // Before everything that waits: a table that has begun is to end soon.
  void AddFirst(Side side, std::vector<VerifyTask> tasks);
  // Waits for one. None once the queue has been closed.
  std::optional<VerifyTask> Next(Side side);
  void Close();

 private:
  struct Lane {
    std::deque<VerifyTask> tasks;
    Clock::time_point next_at{};  // when the rate allows another
  };
  Lane& lane(Side side) { return lanes_[static_cast<size_t>(side)]; }

  const uint64_t rate_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Lane lanes_[2];           // protected by mutex_
  bool is_closed_ = false;  // protected by mutex_
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_QUEUE_H_
