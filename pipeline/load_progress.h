#ifndef PGTEAL_PIPELINE_LOAD_PROGRESS_H_
#define PGTEAL_PIPELINE_LOAD_PROGRESS_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

enum class LoadPhase : uint8_t { kCheck, kSlot, kSchema, kCopy, kIndexes, kConstraints, kRest };
const char* PhaseName(LoadPhase phase);

// One table of a load, written by the workers that copy it, read by whoever shows it.
struct TableProgress {
  std::string name;          // "public.orders"
  uint64_t bytes_total = 0;  // of the table on blue's disk: what is copied may be more or less
  std::atomic<uint64_t> bytes = 0;
  std::atomic<uint64_t> rows = 0;
  std::atomic<bool> is_done = false;
  std::atomic<bool> is_started = false;
};

// An index that green builds at this moment, by its pg_stat_progress_create_index.
struct IndexBuild {
  std::string table;
  std::string index;  // as SQL; empty when unknown
  std::string step;   // the server's words: "building index: scanning table"
  uint64_t done = 0;  // blocks or tuples of this step
  uint64_t total = 0;
};

// How a load is doing. The thread that runs the load adds tables and phases, workers count, the
// main thread reads.
class LoadProgress {
 public:
  struct Duration {
    LoadPhase phase;
    Clock::duration took;
  };

  // Ends the phase before it.
  void Enter(LoadPhase phase);
  void End();
  LoadPhase phase() const { return phase_.load(); }
  std::vector<Duration> durations() const;

  TableProgress& AddTable(const std::string& name, uint64_t bytes_total);
  // The tables there are now; they stay where they are.
  std::vector<const TableProgress*> tables() const;

  // The main thread's.
  void SetBuilds(std::vector<IndexBuild> builds) { builds_ = std::move(builds); }
  const std::vector<IndexBuild>& builds() const { return builds_; }

  std::atomic<uint32_t> indexes_total = 0;
  std::atomic<uint32_t> indexes_done = 0;

 private:
  std::vector<IndexBuild> builds_;
  std::atomic<LoadPhase> phase_ = LoadPhase::kCheck;
  mutable std::mutex mutex_;
  // Protected by mutex_.
  std::deque<TableProgress> tables_;
  std::vector<Duration> durations_;
  Clock::time_point phase_began_ = Clock::now();
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LOAD_PROGRESS_H_
