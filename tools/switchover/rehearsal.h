#ifndef PGTEAL_TOOLS_SWITCHOVER_REHEARSAL_H_
#define PGTEAL_TOOLS_SWITCHOVER_REHEARSAL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pg/connection.h"
#include "tools/switchover/drain.h"
#include "tools/switchover/report.h"

namespace pgteal::tools {

// What the steps of a switchover would take now, each measured where that is possible without
// closing or changing anything, and what they add up to.
struct Rehearsal {
  uint64_t lag_bytes = 0;
  size_t sequences = 0;
  std::vector<SwitchoverReport::Step> steps;
  SwitchoverReport::Milliseconds outage{};
};
Rehearsal RehearseTurn(pg::Connection& from, pg::Connection& to, Drain& drain);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_REHEARSAL_H_
