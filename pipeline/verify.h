#ifndef PGTEAL_PIPELINE_VERIFY_H_
#define PGTEAL_PIPELINE_VERIFY_H_

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/options.h"
#include "pipeline/verify_compare.h"
#include "pipeline/verify_result.h"

namespace pgteal::pipeline {

struct VerifyOptions {
  size_t jobs = 2;  // sessions on each server
  CompareLimits limits;
  std::vector<std::string> include_tables;  // "schema.table" patterns with * and ?; empty: all
  std::vector<std::string> exclude_tables;
  std::chrono::milliseconds hold_max{700};
  // Write blue's version of rows that differ to green. Nothing if there are more than so many.
  bool repair = false;
  uint64_t repair_rows_max = 1000;
  StreamOptions stream;
};

// Compares blue and green row by row at one LSN, while blue is written to and the stream goes on.
// `deployment` as given by its operator: after a switchover blue is compared with green. Tables
// that are rewritten or emptied meanwhile are compared again at a later LSN. Leaves a line in
// pgteal.event. Main thread. Throws Refused, Interrupted and what connections throw.
VerifyResult Verify(const Deployment& deployment, const VerifyOptions& options,
                    const std::atomic<bool>& stop, const Comparison::Watch& watch);

// The last comparison that pgteal.event knows of. `green`: the side that receives the stream.
struct VerifyRecord {
  pg::Lsn lsn;
  std::chrono::seconds age{0};
  bool is_equal = false;
  bool is_filtered = false;  // not all published tables
};
std::optional<VerifyRecord> LastVerify(pg::Connection& green, const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_H_
