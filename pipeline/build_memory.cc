#include "pipeline/build_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pgteal::pipeline {
namespace {

constexpr double kKb = 1024;
// What a run that is being merged takes (tuplesort.c: MERGE_BUFFER_SIZE and twice
// TAPE_BUFFER_OVERHEAD, with pages of 8 kB).
constexpr double kMergeKbPerRun = 272;
// What is sorted is larger than the index: a pointer, a key and a header for each tuple.
constexpr double kSortedPerIndexByte = 3;
// A process of a parallel build needs as much (plan_create_index_workers).
constexpr uint64_t kProcessKbMin = 32 * 1024;

}  // namespace

// A gigabyte for one build is plenty; a quarter of what green's configuration takes for its memory
// is a safe guess for all of them.
BuildMemory ReadBuildMemory(pg::Connection& green, size_t jobs) {
  const auto row = green.Exec(
      fmt::format("SELECT m.setting::bigint,"
                  " least(1048576, c.setting::bigint * current_setting('block_size')::bigint"
                  " / 1024 / 4 / {}) FROM pg_settings AS m, pg_settings AS c"
                  " WHERE m.name = 'maintenance_work_mem' AND c.name = 'effective_cache_size'",
                  jobs));
  return {.configured_kb = static_cast<uint64_t>(row.Int(0, 0)),
          .most_kb = static_cast<uint64_t>(row.Int(0, 1))};
}

uint64_t BuildMemoryKb(const BuildMemory& memory, uint64_t btree_bytes, size_t helpers) {
  const uint64_t most = std::max(memory.configured_kb, memory.most_kb);
  if (btree_bytes == 0) return most;
  // With m of memory there are sorted/m runs, and m/kMergeKbPerRun of them fit into one merge.
  const double sorted_kb = static_cast<double>(btree_bytes) / kKb * kSortedPerIndexByte;
  const auto one_merge_kb = static_cast<uint64_t>(std::sqrt(sorted_kb * kMergeKbPerRun));
  uint64_t wanted = one_merge_kb;
  if (helpers > 0) wanted = (helpers + 1) * std::max(kProcessKbMin, one_merge_kb);
  return std::clamp(wanted, memory.configured_kb, most);
}

}  // namespace pgteal::pipeline
