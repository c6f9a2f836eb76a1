#ifndef PGTEAL_TOOLS_SWITCHOVER_SWITCHOVER_H_
#define PGTEAL_TOOLS_SWITCHOVER_SWITCHOVER_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pg/error.h"
#include "pg/interrupt.h"
#include "pg/lsn.h"
#include "pipeline/fence.h"
#include "pipeline/options.h"
#include "pipeline/turn.h"
#include "tools/switchover/drain.h"
#include "tools/switchover/guardrails.h"
#include "tools/switchover/hook.h"
#include "tools/switchover/outage.h"
#include "tools/switchover/pooler.h"
#include "tools/switchover/report.h"
#include "tools/switchover/watchdog.h"

namespace pgteal::tools {

enum class TurnKind : uint8_t { kSwitchover, kRollback };

struct SwitchoverOptions {
  TurnKind kind = TurnKind::kSwitchover;
  pipeline::Deployment deployment;  // as its operator names the sides: source blue, target green
  std::chrono::seconds timeout{300};
  std::string hook;                      // empty: none
  PoolerOptions pooler;                  // without a conninfo: none
  std::vector<std::string> leave_roles;  // the fence leaves them alone
  std::set<std::string> skip_checks;     // ids of `pgteal check` that do not count
  bool verify = false;                   // refuse without a fresh comparison that found nothing
  bool way_back = true;                  // arm the stream in the other direction
  bool analyze = true;                   // before the fence, tables without statistics
  bool refresh_matviews = true;          // before the fence
};

// Hands the writes over from one side to the other: `from` is closed, drained into `to`, and `to`
// is opened. Every step before the point of no return is undone on an error, a timeout, a request
// to stop; what a killed tool leaves, the next one settles (pipeline/turn.h). Main thread.
class Switchover {
 public:
  Switchover(const SwitchoverOptions& options, const std::atomic<bool>& stop);

  // Returns an exit code; the report says what happened. Throws what ended it, after everything has
  // been undone.
  int Run();
  // Looks at everything, closes nothing, and predicts the outage. Throws what is in the way.
  void Rehearse();

  const SwitchoverReport& report() const { return report_; }

 private:
  void Connect();
  void EndLeftPause();
  void CheckGuardrails();
  bool CheckSchemaAgain();
  void Require(const std::vector<Objection>& objections);
  void WaitForStream();
  void Prepare();
  void CatchUp();
  void Fence();
  void Prove();
  void CopyRest();
  void Arm();
  void PassPointOfNoReturn();
  void Open();
  void Undo();
  void Finish();
  void ResumePooler();
  template <typename Body>
  void Step(const char* name, Body body);
  void NoteFailure(pg::Error& error);
  void CallHook(const std::string& phase);
  void Note(const std::string& kind, const std::string& detail);
  pg::SessionOptions Session(const std::string& part);
  // For what has to be done whether the time is up or not.
  pg::SessionOptions Unhurried();

  const SwitchoverOptions options_;
  const std::atomic<bool>& stop_;
  pipeline::Deployment oriented_;  // source closes, target opens
  pipeline::FenceOptions fence_;
  int64_t epoch_ = 0;
  std::string schema_token_;  // of the closing side, as the guardrails have seen it
  std::string pids_of_before_ = "{}";  // sessions of others on the side that is being opened
  SwitchoverReport report_;
  pg::Interrupt interrupt_;  // ends every wait before the point of no return
  Watchdog watchdog_;
  std::unique_ptr<pg::Connection> from_;
  std::unique_ptr<pg::Connection> to_;
  std::optional<pipeline::TurnAttempt> attempt_;
  std::optional<Drain> drain_;
  std::optional<Pooler> pooler_;
  bool is_begun_ = false;   // the attempt is on record
  bool is_paused_ = false;  // PgBouncer, and that is on record
  bool is_turned_ = false;  // past the point of no return
  Outage outage_;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_SWITCHOVER_H_
