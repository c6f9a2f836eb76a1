#ifndef PGTEAL_TOOLS_CHECK_CHECK_TABLE_H_
#define PGTEAL_TOOLS_CHECK_CHECK_TABLE_H_

#include <optional>
#include <string>
#include <vector>

#include "pipeline/schema_diff.h"
#include "tools/check/check.h"

namespace pgteal::tools {

// How much a finding matters; kNone: the check is not asked.
enum class Level : uint8_t { kNone, kInfo, kWarn, kFatal };

struct Levels {
  Level before = Level::kNone;
  Level running = Level::kNone;
  Level switchover = Level::kNone;

  Level At(CheckPhase phase) const;
};

struct LeveledFinding {
  CheckFinding finding;
  Level level = Level::kNone;  // kNone: the check's own
};
using Findings = std::vector<LeveledFinding>;

// What a check that is code gets. `blue` or `green` is null only if the check does not look there.
struct CheckContext {
  pg::Connection* blue;
  pg::Connection* green;
  const CheckOptions& options;
  // The comparison of the two schemas, once a check has made it.
  mutable std::optional<std::vector<pipeline::SchemaDifference>> structure = std::nullopt;
};
struct CheckAnswer {
  Findings findings;
  std::string skipped;  // why it cannot be asked here; empty: it was
};
using CheckCode = CheckAnswer (*)(const CheckContext& context);

// One check. Its query answers with one row per finding: object, fix, and if it differs from the
// check's own, the level ('info', 'warn', 'fatal'). It follows pipeline::kUserObjects, and knows
// the tokens @name@ (the deployment, as a literal), @seconds@ (a long transaction), @before@ (true
// before a deployment exists), @target@ (green's version number, 0 without green).
struct Check {
  const char* id;
  CheckSide side;
  Levels levels;
  const char* title;
  const char* advice = "";
  const char* sql = "";
  // For a pair: names that green has; findings are the rows of `sql` on blue whose first column is
  // not among them.
  const char* green_sql = "";
  CheckCode code = nullptr;
  int version_min = 0;  // of the examined server
  // Predefined role without which the server would hide what the check looks for.
  const char* role = "";
  // Asked only with this kind of copy, before a deployment exists.
  std::optional<CheckCopy> copy = std::nullopt;
};

// Of checks whose fixes are pasted on a green that follows.
constexpr const char* kGreenIsReadOnly =
    "green is read-only by default once the deployment has begun. In the session that takes the "
    "SQL, first: SET default_transaction_read_only = off;";

struct CheckArea {
  const char* name;
  std::vector<Check> checks;
};

CheckArea IdentityChecks();
CheckArea WalChecks();
CheckArea PrivilegeChecks();
CheckArea TableChecks();
CheckArea PublicationChecks();
CheckArea UncarriedChecks();
CheckArea ActivityChecks();
CheckArea MajorVersionChecks();
CheckArea RunningChecks();
// All of them, in the order of the report.
const std::vector<CheckArea>& AllChecks();

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CHECK_CHECK_TABLE_H_
