#include "pipeline/cleanup.h"

#include <fmt/format.h>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/read_only.h"

namespace pgteal::pipeline {
namespace {

using Removed = std::vector<std::string>;

void RequireIdle(pg::Connection& blue, const std::string& slot_name) {
  const auto slot = pg::FindSlot(blue, slot_name);
  if (!slot || !slot->is_active) return;
  throw pg::Refused(
      fmt::format("slot {} is in use by process {} of blue", slot_name, slot->active_pid),
      "Stop the pgteal that streams from it, then clean up.");
}

void CleanSource(pg::Connection& blue, const std::string& name, Removed* removed) {
  const std::vector<std::string> slots = {name, name + "_capture"};
  for (const auto& slot : slots) RequireIdle(blue, slot);
  for (const auto& slot : slots) {
    if (!pg::FindSlot(blue, slot)) continue;
    pg::DropSlot(blue, slot);
    removed->push_back(fmt::format("slot {} on blue", slot));
  }
  if (!pg::FindPublication(blue, name)) return;
  blue.Exec("DROP PUBLICATION " + pg::QuoteIdentifier(name));
  removed->push_back(fmt::format("publication {} on blue", name));
}

void CleanOrigins(pg::Connection& green, const std::string& name, Removed* removed) {
  if (!pg::MayUseOrigins(green)) return;
  // Lanes are numbered; nothing else may follow the name, or another deployment's would match.
  const auto dropped = green.Exec(
      "SELECT count(pg_replication_origin_drop(roname)) FROM pg_replication_origin"
      " WHERE roname ~ ('^pgteal_' || $1 || '_[0-9]+$')",
      {name});
  if (dropped.Int(0, 0) == 0) return;
  removed->push_back(fmt::format("{} replication origins on green", dropped.Int(0, 0)));
}

void CleanTarget(pg::Connection& green, const std::string& name, Removed* removed) {
  CleanOrigins(green, name, removed);
  if (!applier::HasSchema(green)) return;
  UnsetReadOnly(green, name);
  green.Exec("BEGIN");
  green.Exec("DELETE FROM pgteal.conflict WHERE slot = $1", {name});
  green.Exec("DELETE FROM pgteal.progress WHERE slot = $1", {name});
  green.Exec("DELETE FROM pgteal.table_state WHERE deployment = $1", {name});
  green.Exec("DELETE FROM pgteal.event WHERE deployment = $1", {name});
  const auto rows = green.Exec("DELETE FROM pgteal.deployment WHERE name = $1", {name});
  const bool is_last = green.Exec("SELECT NOT EXISTS (SELECT FROM pgteal.progress)").Bool(0, 0) &&
                       green.Exec("SELECT NOT EXISTS (SELECT FROM pgteal.deployment)").Bool(0, 0);
  if (is_last) green.Exec("DROP SCHEMA pgteal CASCADE");
  green.Exec("COMMIT");
  if (rows.affected_rows() > 0) removed->push_back(fmt::format("deployment {} on green", name));
  if (is_last) removed->push_back("schema pgteal on green");
}

}  // namespace

Removed CleanUp(const Deployment& deployment, const pg::SessionOptions& session) {
  Removed removed;
  pg::Connection blue(deployment.source, session);
  pg::Connection green(deployment.target, session);
  CleanSource(blue, deployment.name, &removed);
  CleanTarget(green, deployment.name, &removed);
  return removed;
}

}  // namespace pgteal::pipeline
