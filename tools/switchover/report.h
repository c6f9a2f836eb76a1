#ifndef PGTEAL_TOOLS_SWITCHOVER_REPORT_H_
#define PGTEAL_TOOLS_SWITCHOVER_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/lsn.h"
#include "pg/timestamp.h"
#include "tools/switchover/outage.h"

namespace pgteal::tools {

// What speaks against it, and what helps.
struct Objection {
  std::string what;
  std::string fix;
};

// What a switchover, a rollback or a rehearsal did, for its operator.
struct SwitchoverReport {
  using Milliseconds = Outage::Milliseconds;
  struct Step {
    std::string name;
    Milliseconds took{};
  };

  std::string verb;
  // switched, rehearsed; undone: it had begun. refused, failed: it never did, nothing was changed.
  std::string result;
  std::vector<Objection> reasons;  // why it was not done
  std::vector<Step> steps;
  std::vector<std::string> warnings;
  std::vector<std::string> skipped_checks;  // ids, as its operator wanted
  pg::Lsn barrier;         // of the side that was closed: everything up to it was handed over
  pg::Lsn start_lsn;       // of the side that was opened: where the way back begins
  uint64_t lag_bytes = 0;  // when everything was ready for the fence
  size_t sequences = 0;
  size_t large_objects = 0;  // that differed and were copied under the fence
  // What was measured once it is switched; a rehearsal predicts the two durations alone.
  struct Times {
    // From the last commit that one side accepted to the first that the other could.
    Milliseconds outage{};
    // From the beginning of the fence (or of PgBouncer's pause), when nobody wrote any more then.
    bool is_from_commit = false;
    // From the beginning of the fence in any case.
    Milliseconds closed{};
    // By the clock of the side that was closed.
    std::optional<pg::Timestamp> last_commit;
    std::optional<pg::Timestamp> opened;
  };
  Times times;
};

std::string ReportText(const SwitchoverReport& report);
std::string ReportJson(const SwitchoverReport& report);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_REPORT_H_
