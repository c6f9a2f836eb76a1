#include "pipeline/way_back.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/back_publication.h"
#include "pipeline/bootstrap.h"
#include "pipeline/publication_watch.h"
#include "pipeline/table_state.h"
#include "pipeline/turn.h"

namespace pgteal::pipeline {
namespace {

std::vector<std::string> PlanPublication(pg::Connection& from, pg::Connection& to,
                                         const std::string& name) {
  auto plan = PlanBackPublication(from, to, name);
  if (!plan.obstacles.empty()) {
    throw pg::Refused(plan.obstacles.front().what, plan.obstacles.front().fix);
  }
  return std::move(plan.statements);
}

// What it lacks would be lost by a rollback.
pg::Refused NotAlike(const std::string& name, const std::vector<std::string>& rest,
                     const std::string& fix) {
  return pg::Refused(fmt::format("publication {} on the side that is to be opened is not like the "
                                 "other side's: {} is still to be done",
                                 name, fmt::join(rest, "; ")),
                     fix);
}

void MakePublication(pg::Connection& from, pg::Connection& to, const std::string& name) {
  const auto statements = PlanPublication(from, to, name);
  if (statements.empty()) return;
  to.Exec("BEGIN");
  for (const auto& sql : statements) to.Exec(sql);
  const auto rest = PlanBackPublication(from, to, name).statements;
  if (!rest.empty()) {
    to.Exec("ROLLBACK");
    throw NotAlike(name, rest, "Make it so by hand, or use --no-way-back.");
  }
  to.Exec("COMMIT");
}

}  // namespace

void PrepareWayBack(pg::Connection& from, pg::Connection& to, const Deployment& oriented,
                    const pg::SessionOptions& session) {
  RequireLogical(to, "the side that is to be opened");
  PublishWayBack(from, to, oriented.name);
  // One of ours is the rest of an earlier attempt, older than need be.
  if (ReadTurn(to, oriented.name).has_way_back) {
    DropSendingSlot(to, oriented.name);
  } else if (pg::FindSlot(to, oriented.name)) {
    throw pg::Refused(
        fmt::format("the side that is to be opened has a slot {} of its own", oriented.name),
        "It belongs to another deployment of the same name; one of them needs another --name.");
  }
  to.Exec("UPDATE pgteal.turn SET way_back = attempt WHERE deployment = $1", {oriented.name});
  pg::ReplicationConnection stream(oriented.target, session);
  CreateSlot(to, stream, oriented.name, false);
}

void PublishWayBack(pg::Connection& from, pg::Connection& to, const std::string& deployment) {
  MakePublication(from, to, deployment);
  // What is behind now is so after there and back, though no guard has seen it.
  RecordPublished(from, to, deployment);
  // What is added to it later is not known to be complete.
  RecordWayBack(from, to, deployment, ReadTurn(from, deployment).epoch > 0);
}

void RequirePublished(pg::Connection& from, pg::Connection& to, const std::string& deployment) {
  const auto rest = PlanPublication(from, to, deployment);
  if (rest.empty()) return;
  throw NotAlike(deployment, rest,
                 "The other side's was changed in the last moment: start again, which does it.");
}

void ArmWayBack(pg::Connection& from, const std::string& deployment, const pg::SystemIdentity& to,
                pg::Lsn start) {
  from.Exec(
      "INSERT INTO pgteal.deployment (name, state, slot, publication, source_system_identifier,"
      " source_timeline, source_database, consistent_point)"
      " VALUES ($1, 'streaming', $1, $1, $2, $3, $4, $5)"
      " ON CONFLICT (name) DO UPDATE SET state = 'streaming', source_system_identifier = $2,"
      " source_timeline = $3, source_database = $4, consistent_point = $5",
      {deployment, to.system_identifier, std::to_string(to.timeline), to.database,
       start.ToString()});
  from.Exec(
      "INSERT INTO pgteal.progress (slot, end_lsn) VALUES ($1, $2) ON CONFLICT (slot) DO UPDATE"
      " SET end_lsn = $2, commit_time = NULL, written_at = NULL, generation = "
      "pgteal.progress.generation + 1,"
      " transactions = 0, changes = 0, updated_at = clock_timestamp()",
      {deployment, start.ToString()});
  ForgetTableStates(from, deployment);
}

bool IsArmed(const Deployment& oriented, const pg::SessionOptions& session) {
  pg::Connection target(oriented.target, session);
  const std::string state = DeploymentState(target, oriented.name);
  return !state.empty() && state != "switched";
}

void DisarmWayBack(pg::Connection& from, const std::string& deployment) {
  from.Exec("UPDATE pgteal.deployment SET state = 'switched' WHERE name = $1", {deployment});
}

void RemoveWayBack(pg::Connection& to, const std::string& deployment) {
  if (!ReadTurn(to, deployment).has_way_back) return;
  DropSendingSlot(to, deployment);
  if (IsWayBackPublication(to, deployment)) {
    to.Exec("DROP PUBLICATION " + pg::QuoteIdentifier(deployment));
  }
  to.Exec("UPDATE pgteal.turn SET way_back = NULL WHERE deployment = $1", {deployment});
}

}  // namespace pgteal::pipeline
