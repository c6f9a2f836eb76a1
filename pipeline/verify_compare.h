#ifndef PGTEAL_PIPELINE_VERIFY_COMPARE_H_
#define PGTEAL_PIPELINE_VERIFY_COMPARE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/snapshot_pair.h"
#include "pipeline/supervisor.h"
#include "pipeline/verify_buckets.h"
#include "pipeline/verify_queue.h"
#include "pipeline/verify_result.h"
#include "pipeline/verify_rows.h"

namespace pgteal::pipeline {

struct CompareLimits {
  uint64_t bytes_per_second_max = 0;  // on each server; 0: as fast as it goes
  size_t differences_max = 100;       // listed, of one table
  uint64_t rows_max = 200'000;        // of one table that are looked at one by one
};

// Compares tables on a pair of snapshots: one pass over each side sums the rows' hashes; where the
// sums differ, a second one sums them bucket by bucket, and only rows in buckets that differ are
// fetched and matched. One thread for each session
// of the pair. Main thread, apart from those.
class Comparison {
 public:
  Comparison(const std::vector<VerifyTable>& plan, TextHash hash, const CompareLimits& limits,
             SnapshotPair& pair, Supervisor& supervisor, VerifyProgress& progress);
  ~Comparison();
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  using Watch = std::function<void(const VerifyProgress&)>;
  // Once. The results in the order of the plan. Throws Interrupted on `stop`, and what ended a
  // worker.
  std::vector<TableResult> Run(const std::atomic<bool>& stop, const Watch& watch);

 private:
  struct Table;

  void AddTable(size_t at, uint64_t piece_bytes);
  void Work(Side side, pg::Connection& session);
  [[nodiscard]] bool Read(Side side, pg::Connection& session, const VerifyTask& task,
                          const std::string& sql, pg::Result* result);
  void Take(Side side, const VerifyTask& task, const pg::Result& result);
  void EndPhase(size_t at);
  void BeginPhase(size_t at);
  void FillResult(Table& table);
  void Done();

  const std::vector<VerifyTable>& plan_;
  const CompareLimits limits_;
  SnapshotPair& pair_;
  Supervisor& supervisor_;
  VerifyProgress& progress_;
  VerifyQueue queue_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::mutex mutex_;  // of what the tables collect
  std::atomic<size_t> open_tables_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_COMPARE_H_
