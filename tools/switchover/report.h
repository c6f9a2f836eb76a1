#ifndef PGTEAL_TOOLS_SWITCHOVER_REPORT_H_
#define PGTEAL_TOOLS_SWITCHOVER_REPORT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "pg/lsn.h"

namespace pgteal::tools {

// What a switchover, a rollback or a rehearsal did, for its operator.
struct SwitchoverReport {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  struct Step {
    std::string name;
    Milliseconds took{};
  };

  std::string verb;
  std::string result;  // switched, undone, rehearsed
  std::vector<Step> steps;
  std::vector<std::string> warnings;
  pg::Lsn barrier;         // of the side that was closed: everything up to it was handed over
  pg::Lsn start_lsn;       // of the side that was opened: where the way back begins
  uint64_t lag_bytes = 0;  // when everything was ready for the fence
  size_t sequences = 0;
  size_t large_objects = 0;  // that differed and were copied under the fence
  // From the commit that closed one side to the commit that opened the other; predicted by a
  // rehearsal.
  Milliseconds outage{};
};

std::string ReportText(const SwitchoverReport& report);
std::string ReportJson(const SwitchoverReport& report);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_REPORT_H_
