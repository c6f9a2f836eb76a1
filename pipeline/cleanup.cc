#include "pipeline/cleanup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/ddl_log.h"
#include "pipeline/fence.h"
#include "pipeline/read_only.h"
#include "pipeline/slot_use.h"
#include "pipeline/turn.h"
#include "pipeline/way_back.h"

namespace pgteal::pipeline {
namespace {

using Removed = std::vector<std::string>;
using Names = std::set<std::string>;

// Where a side keeps what a deployment needs later, and the column that names the deployment.
constexpr std::array<std::pair<const char*, const char*>, 5> kRecords = {
    {{"deployment", "name"},
     {"progress", "slot"},
     {"turn", "deployment"},
     {"fence", "deployment"},
     {"replica_identity", "deployment"}}};

// Deployments of which this side has something on record. A schema of an older pgteal lacks tables.
Names OnRecord(pg::Connection& side) {
  Names names;
  for (const auto& [table, column] : kRecords) {
    if (side.Exec("SELECT to_regclass($1)", {fmt::format("pgteal.{}", table)}).IsNull(0, 0)) {
      continue;
    }
    const auto rows = side.Exec(fmt::format("SELECT DISTINCT {} FROM pgteal.{}", column, table));
    for (int i = 0; i < rows.rows(); ++i) names.insert(rows.String(i, 0));
  }
  return names;
}

// Others than deployment `name` that this side is part of. One that streams from here may have
// nothing on record here, but a slot and a publication of its name.
Names Others(pg::Connection& side, const std::string& name) {
  Names names = OnRecord(side);
  const auto rows = side.Exec(
      "SELECT s.slot_name FROM pg_replication_slots AS s JOIN pg_publication AS p"
      " ON p.pubname = s.slot_name WHERE s.database = current_database()");
  for (int i = 0; i < rows.rows(); ++i) names.insert(rows.String(i, 0));
  names.erase(name);
  return names;
}

bool HasOrigins(pg::Connection& side, const std::string& name) {
  return !side.Exec(
                  "SELECT FROM pg_replication_origin"
                  " WHERE roname ~ ('^pgteal_' || $1 || '_[0-9]+$') LIMIT 1",
                  {name})
              .is_empty();
}

void RequireIdle(pg::Connection& blue, const std::string& slot_name) {
  const auto user = SlotUser(blue, slot_name);
  if (!user) return;
  throw pg::Refused(fmt::format("slot {} is in use by process {} of blue", slot_name, *user),
                    "Stop the pgteal that streams from it, then clean up.");
}

void RequireNoTurn(const Deployment& deployment, const pg::SessionOptions& session) {
  if (SettleTurn(deployment, "", session) != Settled::kAlive) return;
  throw pg::Refused(fmt::format("a switchover of deployment {} is under way", deployment.name),
                    "Wait until it is through, or stop it: it then undoes itself.");
}

struct Side {
  const char* name;
  pg::Connection connection;
  // Green may have slot and publication of this name as the blue of another deployment.
  std::vector<std::string> slots;
  bool is_publication_ours;
  bool is_closed;  // by a switchover, and stays so
};

// A name that was mistyped: on a server without any deployment, it was cleaned up already.
void RequireDeployment(Side& blue, Side& green, const std::string& name) {
  Names known = OnRecord(blue.connection);
  known.merge(OnRecord(green.connection));
  if (known.empty() || known.contains(name) || pg::FindPublication(blue.connection, name) ||
      HasOrigins(green.connection, name)) {
    return;
  }
  for (const auto& slot : blue.slots) {
    if (pg::FindSlot(blue.connection, slot)) return;
  }
  throw pg::Refused(fmt::format("no deployment {}", name),
                    fmt::format("--name is one of: {}.", fmt::join(known, ", ")));
}

void CleanSlots(Side& side, Removed* removed) {
  for (const auto& slot : side.slots) RequireIdle(side.connection, slot);
  for (const auto& slot : side.slots) {
    if (!pg::FindSlot(side.connection, slot)) continue;
    pg::DropSlot(side.connection, slot);
    removed->push_back(fmt::format("slot {} on {}", slot, side.name));
  }
}

void CleanPublication(Side& side, const std::string& name, Removed* removed) {
  if (!side.is_publication_ours || !pg::FindPublication(side.connection, name)) return;
  side.connection.Exec("DROP PUBLICATION " + pg::QuoteIdentifier(name));
  removed->push_back(fmt::format("publication {} on {}", name, side.name));
}

void CleanOrigins(Side& side, const std::string& name, Removed* removed) {
  if (!pg::MayUseOrigins(side.connection)) return;
  // Lanes are numbered; nothing else may follow the name, or another deployment's would match.
  const auto dropped = side.connection.Exec(
      "SELECT count(pg_replication_origin_drop(roname)) FROM pg_replication_origin"
      " WHERE roname ~ ('^pgteal_' || $1 || '_[0-9]+$')",
      {name});
  if (dropped.Int(0, 0) == 0) return;
  removed->push_back(fmt::format("{} replication origins on {}", dropped.Int(0, 0), side.name));
}

// Identities that we gave tables go back to what they were.
void RestoreIdentities(Side& side, const std::string& name, Removed* removed) {
  const auto rows = side.connection.Exec(
      "SELECT 'ALTER TABLE ' || i.relation || ' REPLICA IDENTITY ' || i.former"
      " FROM pgteal.replica_identity AS i WHERE i.deployment = $1"
      " AND to_regclass(i.relation) IS NOT NULL",
      {name});
  for (int i = 0; i < rows.rows(); ++i) side.connection.Exec(rows.String(i, 0));
  if (rows.rows() > 0) {
    removed->push_back(
        fmt::format("{} replica identities that were set on {}", rows.rows(), side.name));
  }
}

void CleanSchema(Side& side, const std::string& name, Removed* removed) {
  auto& connection = side.connection;
  connection.Exec("BEGIN");
  for (const char* table : {"table_state", "event", "turn", "fence", "replica_identity",
                            "schema_baseline", "request"}) {
    connection.Exec(fmt::format("DELETE FROM pgteal.{} WHERE deployment = $1", table), {name});
  }
  connection.Exec("DELETE FROM pgteal.conflict WHERE slot = $1", {name});
  connection.Exec("DELETE FROM pgteal.progress WHERE slot = $1", {name});
  const auto rows = connection.Exec("DELETE FROM pgteal.deployment WHERE name = $1", {name});
  const bool is_last = Others(connection, name).empty();
  if (is_last) connection.Exec("DROP SCHEMA pgteal CASCADE");
  connection.Exec("COMMIT");
  if (rows.affected_rows() > 0) {
    removed->push_back(fmt::format("deployment {} on {}", name, side.name));
  }
  if (is_last) removed->push_back(fmt::format("schema pgteal on {}", side.name));
}

void CleanSide(Side& side, const std::string& name, Removed* removed) {
  CleanSlots(side, removed);
  CleanPublication(side, name, removed);
  CleanOrigins(side, name, removed);
  if (Others(side.connection, name).empty() && RemoveDdlLog(side.connection)) {
    removed->push_back(fmt::format("event triggers on {}", side.name));
  }
  if (!applier::HasSchema(side.connection)) return;
  applier::EnsureSchema(side.connection);  // what an older pgteal made lacks tables
  RestoreIdentities(side, name, removed);
  if (side.is_closed) {
    // What opens it is told: nothing but its operator does, after a switchover.
    const std::string sql = OpeningScript(side.connection, name);
    if (!sql.empty()) {
      removed->push_back(
          fmt::format("what was remembered of {}'s fence; this opens it: {}", side.name, sql));
    }
  } else {
    UnsetReadOnly(side.connection, name);
    // Closed by a rollback, which made blue the one that counts.
    side.connection.Exec("BEGIN");
    OpenDatabase(side.connection, name);
    side.connection.Exec("COMMIT");
  }
  CleanSchema(side, name, removed);
}

}  // namespace

Removed CleanUp(const Deployment& deployment, const pg::SessionOptions& session) {
  RequireNoTurn(deployment, session);
  const bool is_turned = CurrentEpoch(deployment, session) % 2 == 1;
  Removed removed;
  Side blue{.name = "blue",
            .connection = pg::Connection(deployment.source, session),
            .slots = {deployment.name, deployment.name + "_capture"},
            .is_publication_ours = true,
            .is_closed = is_turned};
  pg::Connection green_connection(deployment.target, session);
  const bool has_slot = is_turned || ReadTurn(green_connection, deployment.name).has_way_back;
  const bool is_ours = IsWayBackPublication(green_connection, deployment.name);
  Side green{
      .name = "green",
      .connection = std::move(green_connection),
      .slots = has_slot ? std::vector<std::string>{deployment.name} : std::vector<std::string>{},
      .is_publication_ours = is_ours,
      .is_closed = false};
  RequireDeployment(blue, green, deployment.name);
  CleanSide(blue, deployment.name, &removed);
  CleanSide(green, deployment.name, &removed);
  return removed;
}

}  // namespace pgteal::pipeline
