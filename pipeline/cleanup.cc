#include "pipeline/cleanup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <array>
#include <set>
#include <utility>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pg/sqlstate.h"
#include "pipeline/back_publication.h"
#include "pipeline/bootstrap.h"
#include "pipeline/ddl_log.h"
#include "pipeline/doorbell.h"
#include "pipeline/fence.h"
#include "pipeline/read_only.h"
#include "pipeline/slot_use.h"
#include "pipeline/turn.h"
#include "pipeline/way_back.h"

namespace pgteal::pipeline {
namespace {

using Removed = std::vector<std::string>;
using Names = std::set<std::string>;

constexpr std::chrono::milliseconds kPatience{1000};
constexpr std::chrono::milliseconds kPause{50};

// Where a side keeps what a deployment needs later, and the column that names the deployment. A
// schema of an older pgteal lacks tables.
constexpr std::array<std::pair<const char*, const char*>, 5> kRecords = {
    {{"deployment", "name"},
     {"progress", "slot"},
     {"turn", "deployment"},
     {"fence", "deployment"},
     {"replica_identity", "deployment"}}};

// Others than deployment `name` that this side is part of. One that streams from here may have
// nothing on record here, but a slot and a publication of its name that we have made.
Names Others(pg::Connection& side, const std::string& name) {
  Names names = DeploymentsOnRecord(side);
  const auto rows = side.Exec(
      "SELECT s.slot_name FROM pg_replication_slots AS s JOIN pg_publication AS p"
      " ON p.pubname = s.slot_name WHERE s.database = current_database()");
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string other = rows.String(i, 0);
    if (IsOurPublication(side, other) || IsWayBackPublication(side, other)) names.insert(other);
  }
  names.erase(name);
  return names;
}

// Origins belong to the whole server and bear the oid of their database. Those of an older pgteal
// do not: they are this database's only if it has the deployment on record, $2. A like-named one of
// another database, whose records cannot be read from here, may then have used the same.
Names Origins(pg::Connection& side, const std::string& name) {
  const bool is_on_record = DeploymentsOnRecord(side).contains(name);
  const auto rows = side.Exec(
      "SELECT roname FROM pg_replication_origin, pg_database WHERE datname = current_database()"
      " AND (roname ~ format('^pgteal_%s_%s_[0-9]+$', $1::text, pg_database.oid)"
      " OR ($2::boolean AND roname ~ format('^pgteal_%s_[0-9]+$', $1::text)))",
      {name, is_on_record ? "true" : "false"});
  Names origins;
  for (int i = 0; i < rows.rows(); ++i) origins.insert(rows.String(i, 0));
  return origins;
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
  bool is_open;    // the same for the side that it opened
};

// Who is at work, or empty.
std::string UserOf(Side& side, const std::string& name) {
  for (const auto& slot : side.slots) {
    const auto user = SlotUser(side.connection, slot);
    if (user) return fmt::format("slot {} is in use by process {} of {}", slot, *user, side.name);
  }
  // A load does not use its slot, and green has none.
  const auto run = RunOn(side.connection, name);
  if (run) return fmt::format("deployment {} is at work: process {} of {}", name, *run, side.name);
  return "";
}

// A process that has just ended leaves its backends for a moment.
void RequireIdle(Side& side, const std::string& name) {
  const auto until = Clock::now() + kPatience;
  Doorbell never;
  std::string user = UserOf(side, name);
  while (!user.empty() && Clock::now() < until) {
    never.Wait(Clock::now() + kPause);
    user = UserOf(side, name);
  }
  if (!user.empty()) throw pg::Refused(user, "Stop the pgteal that is at work, then clean up.");
}

// What makes a slot somebody else's; empty for one that may be ours.
std::string StrangenessOf(const pg::Slot& slot, const std::string& database) {
  if (slot.plugin.empty()) return "is a physical one";
  if (slot.plugin != "pgoutput") return "is one of " + slot.plugin;
  return slot.database == database ? "" : "belongs to database " + slot.database;
}

// Slot names belong to the whole server. Where the deployment is on record its slot may be gone and
// the name be taken by another; elsewhere we are in the wrong database.
void LeaveStrangeSlots(Side& side, const std::string& name) {
  const auto database = side.connection.Exec("SELECT current_database()").String(0, 0);
  const bool is_on_record = DeploymentsOnRecord(side.connection).contains(name);
  std::erase_if(side.slots, [&](const std::string& slot) {
    const auto found = pg::FindSlot(side.connection, slot);
    const std::string why = found ? StrangenessOf(*found, database) : "";
    if (why.empty()) return false;
    const auto what = fmt::format("slot {} of {} {}", slot, side.name, why);
    if (!is_on_record) {
      throw pg::Refused(
          fmt::format("{}, and database {} has nothing of deployment {} on record", what, database,
                      name),
          "Point the connection string at the deployment's database, or give its --name.");
    }
    spdlog::warn("{}: it is left alone", what);
    return true;
  });
}

// What a beginning leaves before anything is on record.
bool HasMark(Side& side, const std::string& name) {
  return (side.is_publication_ours && IsOurPublication(side.connection, name)) ||
         !Origins(side.connection, name).empty();
}

// Another tool's slot or publication may bear any name.
void RequireNobodys(Side& side, const std::string& name) {
  std::vector<std::string> what;
  std::string fix;
  for (const auto& slot : side.slots) {
    if (!pg::FindSlot(side.connection, slot)) continue;
    what.push_back("slot " + slot);
    fix += fmt::format(" SELECT pg_drop_replication_slot({});", pg::QuoteLiteral(slot));
  }
  if (side.is_publication_ours && pg::FindPublication(side.connection, name)) {
    what.push_back("publication " + name);
    fix += fmt::format(" DROP PUBLICATION {};", pg::QuoteIdentifier(name));
  }
  if (what.empty()) return;
  throw pg::Refused(fmt::format("nothing on record tells that {} of {} came from pgteal",
                                fmt::join(what, " and "), side.name),
                    "If nobody needs that any more:" + fix);
}

// A name that was mistyped: on a server without any deployment, it was cleaned up already.
void RequireDeployment(const std::vector<Side*>& sides, const std::string& name) {
  Names known;
  for (auto* side : sides) known.merge(DeploymentsOnRecord(side->connection));
  if (known.contains(name)) return;
  for (auto* side : sides) {
    if (HasMark(*side, name)) return;
  }
  for (auto* side : sides) RequireNobodys(*side, name);
  if (known.empty()) return;
  throw pg::Refused(fmt::format("no deployment {}", name),
                    fmt::format("--name is one of: {}.", fmt::join(known, ", ")));
}

void CleanSlots(Side& side, Removed* removed) {
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
  size_t dropped = 0;
  for (const auto& origin : Origins(side.connection, name)) {
    try {
      side.connection.Exec("SELECT pg_replication_origin_drop($1)", {origin});
      ++dropped;
    } catch (const pg::ServerError& error) {
      if (error.sqlstate() != pg::kObjectInUse) throw;
      spdlog::warn(
          "replication origin {} of {} is in use and stays: a deployment of another "
          "database has the same name",
          origin, side.name);
    }
  }
  if (dropped == 0) return;
  removed->push_back(fmt::format("{} replication origins on {}", dropped, side.name));
}

// Identities that we gave tables (FULL, or an index), what they were, and the publications that
// would make blue's own UPDATE and DELETE fail without. A former index may be gone.
constexpr const char* kIdentitiesSql = R"(
WITH published AS MATERIALIZED (
  SELECT p.pubname, c.oid FROM pg_publication AS p JOIN pg_publication_tables AS t USING (pubname)
    JOIN pg_namespace AS n ON n.nspname = t.schemaname
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename
   WHERE p.pubupdate OR p.pubdelete)
SELECT c.oid::regclass, format('ALTER TABLE %s REPLICA IDENTITY %s', i.relation, i.former),
       (SELECT string_agg(p.pubname, ', ' ORDER BY p.pubname) FROM published AS p
         WHERE p.oid = c.oid OR p.oid IN (SELECT relid FROM pg_partition_ancestors(c.oid)))
  FROM pgteal.replica_identity AS i JOIN pg_class AS c ON c.oid = to_regclass(i.relation)
 WHERE i.deployment = $1 AND c.relreplident IN ('f', 'i')
   AND (i.former !~ '^USING INDEX ' OR EXISTS (
         SELECT FROM pg_index AS x JOIN pg_class AS xc ON xc.oid = x.indexrelid
          WHERE x.indrelid = c.oid AND 'USING INDEX ' || quote_ident(xc.relname) = i.former))
 ORDER BY 1)";

void RestoreIdentities(Side& side, const std::string& name, Removed* removed) {
  const auto rows = side.connection.Exec(kIdentitiesSql, {name});
  int restored = 0;
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.IsNull(i, 2)) {
      side.connection.Exec(rows.String(i, 1));
      ++restored;
    } else {
      spdlog::warn(
          "the replica identity of {} on {} stays: publication {} needs one; once it does not: {};",
          rows.Text(i, 0), side.name, rows.Text(i, 2), rows.Text(i, 1));
    }
  }
  if (restored == 0) return;
  removed->push_back(fmt::format("{} replica identities that were set on {}", restored, side.name));
}

void CleanSchema(Side& side, const std::string& name, Removed* removed) {
  auto& connection = side.connection;
  connection.Exec("BEGIN");
  for (const char* table : {"table_state", "event", "turn", "fence", "replica_identity",
                            "schema_baseline", "request"}) {
    connection.Exec(fmt::format("DELETE FROM pgteal.{} WHERE deployment = $1", table), {name});
  }
  if (side.is_open) ForgetReadOnly(connection);
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
      const auto what =
          fmt::format("what was remembered of {}'s fence; this opens it: {}", side.name, sql);
      spdlog::warn("about to remove {}", what);  // while it is not gone yet
      removed->push_back(what);
    }
  } else if (!side.is_open) {
    side.connection.Exec("BEGIN");
    // Closed by a rollback, which made blue the one that counts.
    OpenDatabase(side.connection, name);
    GiveUpReadOnly(side.connection, name);
    side.connection.Exec("COMMIT");
  }
  CleanSchema(side, name, removed);
}

// An older pgteal let a deployment be called like the slot of another one's captures.
std::vector<std::string> SlotsOnBlue(pg::Connection& blue, const std::string& name) {
  const std::string capture = name + "_capture";
  if (pg::FindPublication(blue, capture)) return {name};
  return {name, capture};
}

Side Blue(pg::Connection connection, const std::string& name, bool is_turned) {
  auto slots = SlotsOnBlue(connection, name);
  return {.name = "blue",
          .connection = std::move(connection),
          .slots = std::move(slots),
          .is_publication_ours = true,
          .is_closed = is_turned,
          .is_open = false};
}

Side Green(pg::Connection connection, const std::string& name, bool is_turned) {
  const bool has_slot = is_turned || ReadTurn(connection, name).has_way_back;
  const bool is_ours = IsWayBackPublication(connection, name);
  return {.name = "green",
          .connection = std::move(connection),
          .slots = has_slot ? std::vector<std::string>{name} : std::vector<std::string>{},
          .is_publication_ours = is_ours,
          .is_closed = false,
          .is_open = is_turned};
}

Removed CleanSides(const std::vector<Side*>& sides, const std::string& name) {
  for (auto* side : sides) LeaveStrangeSlots(*side, name);
  RequireDeployment(sides, name);
  for (auto* side : sides) RequireIdle(*side, name);
  Removed removed;
  for (auto* side : sides) CleanSide(*side, name, &removed);
  return removed;
}

}  // namespace

std::set<std::string> DeploymentsOnRecord(pg::Connection& side) {
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

Removed CleanUp(const Deployment& deployment, const pg::SessionOptions& session) {
  RequireNoTurn(deployment, session);
  const bool is_turned = CurrentEpoch(deployment, session) % 2 == 1;
  Side blue = Blue(pg::Connection(deployment.source, session), deployment.name, is_turned);
  Side green = Green(pg::Connection(deployment.target, session), deployment.name, is_turned);
  return CleanSides({&blue, &green}, deployment.name);
}

Removed CleanUpOne(const pg::ConnInfo& side, const std::string& name, bool is_blue,
                   const pg::SessionOptions& session) {
  pg::Connection connection(side, session);
  const TurnRow turn = ReadTurn(connection, name);
  if (!turn.attempt.empty()) {
    // What is on record here may be the only thing that tells the other side how it ended.
    throw pg::Refused(
        fmt::format("a switchover of deployment {} was left unfinished, and it takes both sides to "
                    "tell how it ended",
                    name),
        fmt::format(
            "Bring the other side back: `pgteal status` settles it, `pgteal cleanup` cleans "
            "both. If that server is gone for good, here: BEGIN READ WRITE; UPDATE "
            "pgteal.turn SET attempt = NULL WHERE deployment = {}; COMMIT; then once more.",
            pg::QuoteLiteral(name)));
  }
  const bool is_turned = turn.epoch % 2 == 1;
  Side found = is_blue ? Blue(std::move(connection), name, is_turned)
                       : Green(std::move(connection), name, is_turned);
  return CleanSides({&found}, name);
}

}  // namespace pgteal::pipeline
