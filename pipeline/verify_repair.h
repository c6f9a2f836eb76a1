#ifndef PGTEAL_PIPELINE_VERIFY_REPAIR_H_
#define PGTEAL_PIPELINE_VERIFY_REPAIR_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/snapshot_pair.h"
#include "pipeline/verify_plan.h"
#include "pipeline/verify_rows.h"

namespace pgteal::pipeline {

// A table and what is to be repaired in it.
struct RepairTable {
  const VerifyTable* plan = nullptr;
  const std::vector<RowDifference>* differences = nullptr;
};

struct RepairResult {
  uint64_t repaired = 0;
  uint64_t touched = 0;               // changed on one of the sides since they were compared
  std::vector<std::string> failures;  // what green refused, by table
};

// Writes rows of blue to green, in one transaction on green, while the stream stands at a new
// snapshot of blue and green's progress row is locked. A row is written only if both of its
// versions are still where the comparison found them; everything else is left alone and counted.
// Main thread. Throws what TakeSnapshots() throws.
RepairResult RepairRows(const Deployment& deployment, const SnapshotOptions& options,
                        const std::vector<RepairTable>& tables, const std::atomic<bool>& stop);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_REPAIR_H_
