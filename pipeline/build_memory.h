#ifndef PGTEAL_PIPELINE_BUILD_MEMORY_H_
#define PGTEAL_PIPELINE_BUILD_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "pg/connection.h"

namespace pgteal::pipeline {

// What an index build on green may take as maintenance_work_mem. In kB, as the server counts.
struct BuildMemory {
  uint64_t configured_kb = 0;  // green's own setting: never less
  uint64_t most_kb = 0;        // never more, unless that is configured
};

// For `jobs` builds at the same time.
BuildMemory ReadBuildMemory(pg::Connection& green, size_t jobs);

// For one build with so many parallel workers beside its own process. `btree_bytes`: size of the
// btree that is built, 0 for an index of another kind, which gets all there is (GIN collects keys
// for as long as there is room). A btree sorts in runs and merges them: more memory than one merge
// needs is only more pages to touch, and runs out of the processor's caches.
uint64_t BuildMemoryKb(const BuildMemory& memory, uint64_t btree_bytes, size_t helpers);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BUILD_MEMORY_H_
