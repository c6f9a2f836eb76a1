#include "pipeline/load_claim.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "applier/errors.h"
#include "applier/progress_row.h"
#include "pg/error.h"
#include "pipeline/doorbell.h"
#include "pipeline/slot_use.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr const char* kTryLockSql =
    "SELECT pg_try_advisory_lock(hashtext('pgteal load'), hashtext($1))";
constexpr const char* kUnlockSql =
    "SELECT pg_advisory_unlock(hashtext('pgteal load'), hashtext($1))";
constexpr const char* kHolderSql =
    "SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = (hashtext('pgteal load')::bigint & 4294967295)"
    " AND objid::bigint = (hashtext($1)::bigint & 4294967295)";
// Nobody can take over before the transaction has ended.
constexpr const char* kOursSql =
    "SELECT FROM pgteal.progress WHERE slot = $1 AND generation = $2 FOR SHARE";

constexpr milliseconds kPause{200};
// A process that was killed leaves its backends for a moment.
constexpr milliseconds kPatience{3000};
// A transaction of a former process gets so long to end after its backend was told to.
constexpr int kZombieWaitMs = 30'000;

}  // namespace

LoadClaim::LoadClaim(const Deployment& deployment) : deployment_(deployment) {}

void LoadClaim::Lock(pg::Connection& green, bool may_wait, const pg::Interrupt& interrupt) {
  const auto& name = deployment();
  const auto until = Clock::now() + kPatience;
  Doorbell never;
  bool is_told = false;
  while (!green.Exec(kTryLockSql, {name}).Bool(0, 0)) {
    if (interrupt.is_raised()) throw pg::Interrupted();
    if (const auto holder = LoadOn(green, name); holder && !may_wait && Clock::now() > until) {
      throw pg::Refused(
          deployment_.sides.Format("process {} of green loads tables of deployment {} already",
                                   *holder, name),
          "Wait until it has ended, or stop it.");
    } else if (holder && may_wait && !is_told) {
      is_told = true;
      spdlog::warn("{}", deployment_.sides.Format(
                             "waiting for process {} of green, which loads deployment {}: it is "
                             "left alone, and this one goes on when it has ended",
                             *holder, name));
    }
    never.Wait(Clock::now() + kPause);
  }
}

void LoadClaim::TakeOver(pg::Connection& green) {
  EndLanes(green, deployment(), "", 0);
  generation_ = static_cast<int64_t>(
      applier::TakeOver(green, deployment(), std::nullopt, kZombieWaitMs).generation);
}

void LoadClaim::Unlock(pg::Connection& green) { green.Exec(kUnlockSql, {deployment()}); }

void LoadClaim::RequireOurs(pg::Connection& green) const {
  if (!green.Exec(kOursSql, {deployment(), std::to_string(generation_)}).is_empty()) return;
  throw applier::TakenOver("another process has taken over deployment " + deployment(),
                           "Let that one run, or stop it and start this one again.");
}

std::optional<int> LoadOn(pg::Connection& green, const std::string& deployment) {
  const auto row = green.Exec(kHolderSql, {deployment});
  if (row.IsNull(0, 0)) return std::nullopt;
  return static_cast<int>(row.Int(0, 0));
}

}  // namespace pgteal::pipeline
