#include "tools/switchover/guardrails.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/large_objects.h"
#include "pipeline/schema_catalog.h"
#include "pipeline/slot_use.h"
#include "pipeline/table_state.h"
#include "pipeline/turn.h"
#include "pipeline/verify.h"
#include "tools/check/check.h"

namespace pgteal::tools {
namespace {

using Objections = std::vector<Objection>;

// What --verify takes for fresh.
constexpr std::chrono::hours kVerifyAgeMax{24};

constexpr const char* kOwnsDatabaseSql =
    "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()";
constexpr const char* kPreparedSql =
    "SELECT string_agg(gid, ', ') FROM pg_prepared_xacts WHERE database = current_database()";
constexpr const char* kSubscriptionsSql =
    "SELECT string_agg(subname, ', ') FROM pg_subscription WHERE subenabled AND subdbid ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())";
constexpr const char* kWritersSql =
    "SELECT count(*), string_agg(DISTINCT usename || ' (' || application_name || ')', ', ')"
    " FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"
    " AND backend_type = 'client backend' AND NOT starts_with(application_name, 'pgteal')";

void CheckStream(pg::Connection& from, pg::Connection& to, const pipeline::Deployment& oriented,
                 Objections* objections) {
  const std::string state = pipeline::DeploymentState(to, oriented.name);
  const int64_t epoch = pipeline::ReadTurn(from, oriented.name).epoch;
  if (epoch > 0 && (state.empty() || state == "switched")) {
    objections->push_back({fmt::format("no way back was armed, so there is no {}",
                                       epoch % 2 == 1 ? "rollback" : "switchover"),
                           "The other side lacks what was written since. `pgteal cleanup`, then "
                           "begin a deployment from the side that takes the writes."});
    return;
  }
  if (state.empty()) {
    objections->push_back(
        {fmt::format("there is no deployment {}", oriented.name), "Begin with `pgteal run`."});
    return;
  }
  // What degraded it is named by H9.
  if (state != "streaming" && state != "degraded") {
    objections->push_back({fmt::format("deployment {} is in state {}", oriented.name, state),
                           "`pgteal status` says what is missing."});
  }
  const auto slot = pg::FindSlot(from, oriented.name);
  if (!slot) {
    objections->push_back(
        {fmt::format("slot {} does not exist", oriented.name), "`pgteal run` says what to do."});
  } else if (pipeline::ReadsAhead(from, oriented.name)) {
    objections->push_back({fmt::format("the backlog of slot {} is still being read", oriented.name),
                           "Wait until `pgteal status` shows a small lag."});
  } else if (!slot->is_active) {
    objections->push_back({fmt::format("nobody streams from slot {}", oriented.name),
                           "Start `pgteal run`: the switchover drains through it."});
  }
}

void CheckFence(pg::Connection& from, pg::Connection& to, const pipeline::FenceOptions& fence,
                Objections* objections) {
  const auto beyond = pipeline::RolesBeyondReach(from, fence);
  if (!beyond.empty()) {
    std::string names;
    std::string fixes;
    for (const auto& role : beyond) {
      names += (names.empty() ? "" : ", ") + role.name;
      if (!role.fix.empty()) fixes += role.fix + " ";
    }
    objections->push_back(
        {"our role may not close these roles: " + names,
         fixes + "Or run as a superuser, or name those that never write with --leave-role."});
  }
  for (auto* side : {&from, &to}) {
    if (side->Exec(kOwnsDatabaseSql).Bool(0, 0)) continue;
    objections->push_back(
        {fmt::format("our role may not alter the database of {}", side->description()),
         fmt::format("GRANT the database's owner to pgteal's role there.")});
  }
  const auto prepared = from.Exec(kPreparedSql);
  if (!prepared.IsNull(0, 0)) {
    objections->push_back(
        {fmt::format("prepared transactions can commit behind the fence: {}", prepared.Text(0, 0)),
         "COMMIT PREPARED or ROLLBACK PREPARED them."});
  }
  const auto subscriptions = from.Exec(kSubscriptionsSql);
  if (!subscriptions.IsNull(0, 0)) {
    objections->push_back(
        {fmt::format("subscriptions write behind the fence: {}", subscriptions.Text(0, 0)),
         "ALTER SUBSCRIPTION … DISABLE, and make them on the other side afterwards."});
  }
}

// The side that is opened is so as a whole.
void AddOtherDeployments(pg::Connection& to, const std::string& deployment,
                         std::vector<std::string>* concerns) {
  if (!applier::HasSchema(to)) return;
  const auto others = to.Exec(
      "SELECT name, current_database() FROM pgteal.deployment"
      " WHERE name <> $1 AND state <> 'switched' ORDER BY 1",
      {deployment});
  for (int i = 0; i < others.rows(); ++i) {
    concerns->push_back(
        fmt::format("deployment {} streams into {}, too: when database {} is opened, its tables "
                    "can be written by everybody who may, before it is switched over",
                    others.Text(i, 0), to.description(), others.Text(i, 1)));
  }
}

// Relations of the user's, by a condition on pg_class; a long list is cut.
std::string NamesOf(pg::Connection& side, const std::string& condition) {
  constexpr int kNamesMax = 20;
  const auto rows = side.Exec(std::string(pipeline::kUserObjects) +
                              "SELECT name FROM relations WHERE " + condition + " ORDER BY 1");
  std::string names;
  for (int i = 0; i < std::min(rows.rows(), kNamesMax); ++i) {
    names += (i == 0 ? "" : ", ") + rows.String(i, 0);
  }
  if (rows.rows() > kNamesMax) names += fmt::format(", … ({} in all)", rows.rows());
  return names;
}

}  // namespace

Objections FindObjections(pg::Connection& from, pg::Connection& to,
                          const pipeline::Deployment& oriented,
                          const pipeline::FenceOptions& fence) {
  Objections objections;
  for (auto* side : {&from, &to}) {
    if (!pg::IsInRecovery(*side)) continue;
    objections.push_back({fmt::format("{} is a standby", side->description()),
                          "Point the connection string at its primary."});
  }
  if (!objections.empty()) return objections;
  CheckStream(from, to, oriented, &objections);
  CheckFence(from, to, fence, &objections);
  const auto writers = to.Exec(kWritersSql);
  if (writers.Int(0, 0) > 0) {
    objections.push_back(
        {fmt::format("somebody writes on the side that is to be opened: {}", writers.Text(0, 1)),
         "Stop them; their rows are not on the other side."});
  }
  return objections;
}

std::vector<std::string> FindConcerns(pg::Connection& from, pg::Connection& to,
                                      const pipeline::FenceOptions& fence) {
  std::vector<std::string> concerns;
  AddOtherDeployments(to, fence.deployment, &concerns);
  const auto same_role = from.Exec(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
      " AND usename = current_user AND backend_type = 'client backend'"
      " AND NOT starts_with(application_name, 'pgteal')");
  if (same_role.Int(0, 0) > 0) {
    concerns.push_back(
        fmt::format("{} sessions use pgteal's own role, whose login stays open: they are ended at "
                    "the fence, and could come back",
                    same_role.Int(0, 0)));
  }
  const std::string unlogged = NamesOf(from, "relkind = 'r' AND relpersistence = 'u'");
  if (!unlogged.empty()) {
    concerns.push_back("unlogged tables, whose rows do not come along: " + unlogged);
  }
  const std::string foreign = NamesOf(from, "relkind = 'f'");
  if (!foreign.empty()) {
    concerns.push_back("foreign tables, whose servers and user mappings the new side needs: " +
                       foreign);
  }
  const size_t objects = pipeline::FindLargeObjectChanges(from, to).count();
  if (objects > 0) {
    concerns.push_back(fmt::format(
        "{} large objects changed since they were copied: what still differs is copied behind the "
        "fence",
        objects));
  }
  const std::string matviews = NamesOf(to, "relkind = 'm' AND relispopulated");
  if (!matviews.empty()) {
    concerns.push_back("materialized views, which hold what their last refresh saw: " + matviews);
  }
  return concerns;
}

void AddCheckResults(pg::Connection& from, pg::Connection& to, const pipeline::Deployment& oriented,
                     const pipeline::FenceOptions& fence, const CheckSelection& checks,
                     std::vector<Objection>* objections, std::vector<std::string>* warnings) {
  CheckOptions options;
  options.leave_roles = fence.leave_roles;
  options.name = oriented.name;
  options.sides = oriented.sides;
  options.phase = CheckPhase::kSwitchover;
  options.source = oriented.source;
  options.only = checks.only;
  options.skip = checks.skip;
  const auto results = RunChecks(&from, &to, options);
  for (const auto& result : FatalOf(results)) {
    for (const auto& finding : result.findings) {
      objections->push_back({fmt::format("{} {}: {}", result.id, result.title, finding.object),
                             finding.fix.empty() ? result.advice : finding.fix});
    }
  }
  for (const auto& result : UnansweredOf(results)) {
    warnings->push_back(
        fmt::format("{} {}: could not be asked ({})", result.id, result.title, result.reason));
  }
}

void RequireVerified(pg::Connection& to, const std::string& deployment) {
  const auto last = pipeline::LastVerify(to, deployment);
  if (!last) throw pg::Refused("the two sides were never compared", "Run `pgteal verify` first.");
  if (!last->is_equal || last->is_filtered) {
    throw pg::Refused(last->is_equal ? "the last `pgteal verify` left tables out"
                                     : "the last `pgteal verify` found differences",
                      "Run it again, for all tables; --repair mends rows.");
  }
  if (last->age > kVerifyAgeMax) {
    throw pg::Refused(
        fmt::format("the last `pgteal verify` is {} hours old",
                    std::chrono::duration_cast<std::chrono::hours>(last->age).count()),
        "Run it again.");
  }
}

}  // namespace pgteal::tools
