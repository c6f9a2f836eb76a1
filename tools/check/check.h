#ifndef PGTEAL_TOOLS_CHECK_CHECK_H_
#define PGTEAL_TOOLS_CHECK_CHECK_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "applier/side_names.h"
#include "pg/connection.h"
#include "pg/conninfo.h"

namespace pgteal::tools {

// What a check looks at: one server, or the two against each other.
enum class CheckSide : uint8_t { kBlue, kGreen, kPair };
// In the order of weight; kSkipped was not asked.
enum class CheckOutcome : uint8_t { kPass, kInfo, kWarn, kFail, kSkipped };

// When it is asked; a check may matter more or less, or not at all.
enum class CheckPhase : uint8_t {
  kBefore,      // no deployment yet
  kRunning,     // while a deployment loads or streams
  kSwitchover,  // guardrails: right before blue is fenced
};
// What `run` will copy; decides what green may hold before a deployment exists.
enum class CheckCopy : uint8_t { kAll, kData, kNone };

struct CheckFinding {
  std::string object;  // what is wrong, with its name
  std::string fix;     // SQL for the side that is examined (green, for a pair), or empty
};

struct CheckResult {
  std::string id;                     // "B1"
  std::string area;                   // "WAL, slots, limits"
  CheckSide side = CheckSide::kBlue;  // as the operator calls it
  std::string title;                  // the requirement, a sentence that is true when it passes
  CheckOutcome outcome = CheckOutcome::kPass;
  std::string reason;         // why it was skipped
  bool is_guardrail = false;  // a finding is fatal in this phase
  std::string advice;         // the operator's next step where no SQL says it
  std::vector<CheckFinding> findings;
};

struct CheckOptions {
  std::string name = "pgteal";  // the deployment: its slot and publication on blue
  // What the report calls the two, when green takes the writes and is examined as blue.
  applier::SideNames sides = {};
  CheckPhase phase = CheckPhase::kBefore;
  CheckCopy copy = CheckCopy::kAll;
  std::set<std::string> only;            // ids; empty: all of the phase
  std::set<std::string> skip;            // ids
  std::optional<CheckSide> side;         // as the operator calls it
  std::vector<std::string> leave_roles;  // the fence would leave them alone
  std::chrono::seconds long_transaction{300};
  // For the few checks that open connections of their own; without it they are skipped.
  std::optional<pg::ConnInfo> source;
};

// Runs every check of the phase, one after the other; in autocommit, so neither session may be in a
// transaction. Either session may be null: what needs it is skipped. A server's refusal skips the
// one check, with the reason; a lost connection throws. Writes nothing (a temporary slot before a
// deployment exists is gone at once). The sessions belong to the caller's thread.
std::vector<CheckResult> RunChecks(pg::Connection* blue, pg::Connection* green,
                                   const CheckOptions& options);

// Throws ConfigError, naming `option`, for an id that no check has.
void RequireKnownChecks(const std::string& option, const std::vector<std::string>& ids);

// What a switchover is refused for.
std::vector<CheckResult> FatalOf(const std::vector<CheckResult>& results);
// Guardrails that could not be asked, for want of a privilege or of a server.
std::vector<CheckResult> UnansweredOf(const std::vector<CheckResult>& results);
// "B1 wal_level is logical: wal_level = replica; C2 …", without row values.
std::string Summary(const std::vector<CheckResult>& results);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CHECK_CHECK_H_
