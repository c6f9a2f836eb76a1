#ifndef PGTEAL_PIPELINE_VERIFY_RESULT_H_
#define PGTEAL_PIPELINE_VERIFY_RESULT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/lsn.h"
#include "pipeline/doorbell.h"
#include "pipeline/verify_repair.h"
#include "pipeline/verify_rows.h"

namespace pgteal::pipeline {

// What the comparison of one table found.
struct TableResult {
  std::string schema;
  std::string name;
  std::vector<std::string> key_columns;
  pg::Lsn lsn;
  uint64_t blue_rows = 0;
  uint64_t green_rows = 0;
  uint64_t missing = 0;
  uint64_t extra = 0;
  uint64_t different = 0;
  bool is_exact = true;  // false: the counts above are what was looked into; there is more
  std::vector<RowDifference> differences;  // the first of them
  std::string fault;                       // why rows could not be compared, or empty
  std::vector<std::string> notes;
  bool is_postponed = false;  // rewritten or emptied after the snapshot: to be compared at another

  uint64_t difference_count() const { return missing + extra + different; }
  bool is_equal() const { return fault.empty() && !is_postponed && difference_count() == 0; }
};

struct VerifyResult {
  pg::Lsn lsn;  // of the first snapshots; tables that were rewritten meanwhile have a later one
  applier::SideNames names;
  std::vector<TableResult> tables;
  std::vector<std::string> faults;  // beyond rows: a constraint that does not hold on green
  std::vector<std::string> notes;   // beyond tables: sequences, large objects, constraints
  std::chrono::milliseconds paused{0};
  std::chrono::milliseconds took{0};
  bool is_filtered = false;            // not all published tables
  std::optional<RepairResult> repair;  // when it was asked for and something differed
  std::string repair_refusal;          // why nothing was repaired, or empty

  uint64_t difference_count() const;
  uint64_t row_count() const;  // blue's
  bool is_equal() const;
};

// How far a comparison is. Written by its threads, read by anyone.
struct VerifyProgress {
  std::atomic<uint64_t> tables_total = 0;
  std::atomic<uint64_t> tables_done = 0;
  std::atomic<uint64_t> bytes_total = 0;  // of both sides
  std::atomic<uint64_t> bytes_done = 0;
  std::atomic<uint64_t> rows_done = 0;  // of both sides
  std::atomic<uint64_t> tables_different = 0;
  Clock::time_point snapshot_taken_at{};  // set before the threads start
  pg::Lsn lsn;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_RESULT_H_
