#include "pipeline/progress.h"

#include "pg/check.h"

namespace pgteal::pipeline {

Progress::Progress(pg::Lsn start, Doorbell& changed, pg::Timestamp commit_time)
    : changed_(changed),
      received_(start.value),
      complete_(start.value),
      applied_(start.value),
      durable_(start.value),
      commit_time_(commit_time.micros) {}

void Progress::Committed(pg::Lsn end_lsn, pg::Lsn green_lsn, pg::Timestamp commit_time) {
  const std::lock_guard lock(mutex_);
  PGTEAL_CHECK(end_lsn >= applied(), "batches committed out of order");
  pending_.push_back({end_lsn, green_lsn});
  commit_time_.store(commit_time.micros, std::memory_order_relaxed);
  applied_.store(end_lsn.value, std::memory_order_release);
  changed_.Ring();
}

void Progress::GreenFlushed(pg::Lsn green_lsn) {
  const std::lock_guard lock(mutex_);
  const bool moves = !pending_.empty() && pending_.front().green_lsn <= green_lsn;
  while (!pending_.empty() && pending_.front().green_lsn <= green_lsn) {
    durable_.store(pending_.front().end_lsn.value, std::memory_order_release);
    pending_.pop_front();
  }
  if (moves) changed_.Ring();
  PGTEAL_CHECK(durable() <= applied(), "more is durable than committed");
}

}  // namespace pgteal::pipeline
