#include "pipeline/bootstrap.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>

#include "applier/progress_row.h"
#include "applier/schema.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/publication_watch.h"
#include "pipeline/read_only.h"
#include "pipeline/replica_identity.h"
#include "pipeline/table_filter.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

// User tables that can be published: ordinary and partitioned (as roots), persistent. $2 whether
// those of extensions are wanted, too. To be filled in: kUsableIdentitySql, kHiddenColumnsSql.
constexpr const char* kTablesSql = R"(
SELECT n.nspname, c.relname, c.relkind = 'p',
       {0},
       (SELECT quote_ident(xc.relname) FROM pg_index AS x
          JOIN pg_class AS xc ON xc.oid = x.indexrelid WHERE x.indrelid = c.oid
           AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL
           AND x.indexprs IS NULL AND NOT EXISTS (SELECT 1 FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND (NOT a.attnotnull OR a.attnum = ANY (g.hidden))
               AND a.attnum = ANY (x.indkey))
         ORDER BY x.indnkeyatts LIMIT 1),
       pg_has_role(c.relowner, 'USAGE'),
       CASE c.relreplident WHEN 'n' THEN 'NOTHING' WHEN 'i' THEN coalesce('USING INDEX '
            || (SELECT quote_ident(rc.relname) FROM pg_index AS r JOIN pg_class AS rc
                ON rc.oid = r.indexrelid WHERE r.indrelid = c.oid AND r.indisreplident), 'DEFAULT')
            ELSE 'DEFAULT' END,
       g.hidden <> '{{}}' AND current_setting('server_version_num')::int >= 180000
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace {1}
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgteal')
   AND ($2::boolean OR NOT EXISTS (SELECT 1 FROM pg_depend AS d
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
 ORDER BY 1, 2)";

// What may be left out: also what cannot be published anyway.
constexpr const char* kAllTablesSql =
    "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid ="
    " c.relnamespace WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_'";

// "cannot build an initial slot snapshot": the server's advice is to try again.
constexpr const char* kInternalError = "XX000";
constexpr int kSlotAttempts = 5;
constexpr const char* kNotAllowed = "42501";

// By it a cleanup knows a publication that we made before anything was on record.
constexpr const char* kPublicationComment = "pgteal: made for its deployment";

struct SourceTable {
  pg::TableName name;
  bool is_partitioned;
  bool has_identity;
  std::string candidate_index;
  bool is_ours;
  std::string identity;  // as ALTER TABLE … REPLICA IDENTITY takes it
  bool full_fails;       // FULL is not usable either

  std::string Fix() const {
    const std::string qualified = pg::QuoteQualified(name.schema, name.name);
    if (candidate_index.empty() && full_fails) {
      return fmt::format(
          "{} computes a column that is not sent: give it REPLICA IDENTITY USING INDEX of an index "
          "without that column, or make the publication WITH (publish_generated_columns = stored).",
          qualified);
    }
    return fmt::format("ALTER TABLE {} REPLICA IDENTITY {};", qualified,
                       candidate_index.empty() ? "FULL" : "USING INDEX " + candidate_index);
  }
};

enum class Extensions : bool { kWithout, kWith };

std::vector<SourceTable> ReadTables(pg::Connection& blue, const std::string& deployment,
                                    const BootstrapOptions& options,
                                    Extensions extensions = Extensions::kWithout) {
  const TableFilter filter(options.include_tables, options.exclude_tables);
  const auto rows =
      blue.Exec(fmt::format(kTablesSql, kUsableIdentitySql, kHiddenColumnsSql),
                {deployment, extensions == Extensions::kWith ? "true" : "false"});
  std::vector<SourceTable> tables;
  for (int i = 0; i < rows.rows(); ++i) {
    if (!filter.Matches(rows.Text(i, 0), rows.Text(i, 1))) continue;
    tables.push_back({.name = {.schema = rows.String(i, 0), .name = rows.String(i, 1)},
                      .is_partitioned = rows.Bool(i, 2),
                      .has_identity = rows.Bool(i, 3),
                      .candidate_index = rows.String(i, 4),
                      .is_ours = rows.Bool(i, 5),
                      .identity = rows.String(i, 6),
                      .full_fails = rows.Bool(i, 7)});
  }
  return tables;
}

// A publication of no table would stream nothing, and a switchover would open an empty green.
void RequirePatterns(pg::Connection& blue, const std::string& deployment,
                     const BootstrapOptions& options) {
  std::vector<pg::TableName> publishable;
  for (auto& table : ReadTables(blue, deployment, {})) publishable.push_back(std::move(table.name));
  RequireMatches("--include-table", options.include_tables, publishable,
                 "table of blue that can be published");
  if (options.exclude_tables.empty()) return;
  std::vector<pg::TableName> all;
  const auto rows = blue.Exec(kAllTablesSql);
  for (int i = 0; i < rows.rows(); ++i) {
    all.push_back({.schema = rows.String(i, 0), .name = rows.String(i, 1)});
  }
  RequireMatches("--exclude-table", options.exclude_tables, all, "table of blue");
}

// What it was is written down on blue, for a cleanup.
void SetIdentity(pg::Connection& blue, const std::string& deployment, const SourceTable& table,
                 const std::string& sql) {
  applier::EnsureSchema(blue);
  blue.Exec("BEGIN");
  blue.Exec(
      "INSERT INTO pgteal.replica_identity (deployment, relation, former) VALUES ($1, $2, $3)"
      " ON CONFLICT DO NOTHING",
      {deployment, pg::QuoteQualified(table.name.schema, table.name.name), table.identity});
  blue.Exec(sql);
  blue.Exec("COMMIT");
  spdlog::info("on blue: {}", sql);
}

// UPDATE and DELETE on blue itself would fail once such a table is published, or not say which row
// they mean.
void RequireIdentities(pg::Connection& blue, const std::vector<SourceTable>& tables,
                       const std::string& deployment, const BootstrapOptions& options) {
  std::string names;
  std::string fixes;
  for (const auto& table : tables) {
    if (table.has_identity) continue;
    const std::string fix = table.Fix();
    if (options.set_replica_identity && fix.starts_with("ALTER")) {
      SetIdentity(blue, deployment, table, fix);
      continue;
    }
    names += fmt::format("{}{}.{}", names.empty() ? "" : ", ", table.name.schema, table.name.name);
    fixes += (fixes.empty() ? "" : " ") + fix;
  }
  if (names.empty()) return;
  throw pg::Refused(
      fmt::format("without a usable replica identity blue's own UPDATE and DELETE would fail once "
                  "published, or not tell rows apart: {}",
                  names),
      (options.may_set_replica_identity && !options.set_replica_identity
           ? "--set-replica-identity does it, or on blue: "
           : "On blue: ") +
          fixes);
}

void CreatePublication(pg::Connection& blue, const Deployment& deployment,
                       const BootstrapOptions& options) {
  if (pg::FindPublication(blue, deployment.name)) return;
  RequireNewName(deployment.name);
  RequirePatterns(blue, deployment.name, options);
  const bool takes_all = options.include_tables.empty() && options.exclude_tables.empty();
  const auto tables = ReadTables(blue, deployment.name, options);
  if (tables.empty() && !takes_all) {
    throw pg::ConfigError("--include-table and --exclude-table leave no table to publish",
                          "Exclusion wins: make its patterns narrower.");
  }
  const bool is_superuser =
      blue.Exec("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Bool(0, 0);
  const bool is_for_all = is_superuser && takes_all;
  RequireIdentities(
      blue, is_for_all ? ReadTables(blue, deployment.name, options, Extensions::kWith) : tables,
      deployment.name, options);
  std::string list;
  for (const auto& table : tables) {
    if (!is_superuser && !table.is_ours) {
      throw pg::Refused(
          fmt::format("our role does not own table {}.{}, so it cannot publish it",
                      table.name.schema, table.name.name),
          "Create the publication as a superuser, or GRANT the owner's role to pgteal's.");
    }
    list += fmt::format("{}{}{}", list.empty() ? "" : ", ", table.is_partitioned ? "" : "ONLY ",
                        pg::QuoteQualified(table.name.schema, table.name.name));
  }
  std::string sql = "CREATE PUBLICATION " + pg::QuoteIdentifier(deployment.name);
  if (is_for_all) {
    sql += " FOR ALL TABLES";
  } else if (!list.empty()) {
    sql += " FOR TABLE " + list;
  }
  blue.Exec(fmt::format("{}; COMMENT ON PUBLICATION {} IS {}", sql,
                        pg::QuoteIdentifier(deployment.name),
                        pg::QuoteLiteral(kPublicationComment)));
  spdlog::info("publication {} created on {} tables={}", deployment.name, deployment.sides.blue,
               tables.size());
}

void RequireFreeSlot(pg::Connection& blue) {
  const auto row = blue.Exec(
      "SELECT current_setting('max_replication_slots')::int - count(*),"
      " current_setting('max_replication_slots') FROM pg_replication_slots");
  if (row.Int(0, 0) > 0) return;
  throw pg::Refused(fmt::format("all {} replication slots of blue are in use", row.Text(0, 1)),
                    "Drop a slot that nobody uses, or raise max_replication_slots on blue.");
}

}  // namespace

void RequireLogical(pg::Connection& source, const std::string& side) {
  const std::string level = pg::Setting(source, "wal_level");
  if (level != "logical") {
    throw pg::Refused(
        fmt::format("wal_level is {} on {}", level, side),
        fmt::format("ALTER SYSTEM SET wal_level = 'logical'; then restart {}.", side));
  }
  const auto role = source.Exec(
      "SELECT rolreplication OR rolsuper OR coalesce((SELECT pg_has_role(current_user, oid,"
      " 'member') FROM pg_roles WHERE rolname = 'rds_replication'), false), current_user"
      " FROM pg_roles WHERE rolname = current_user");
  if (!role.Bool(0, 0)) {
    throw pg::Refused(fmt::format("role {} may not replicate from {}", role.Text(0, 1), side),
                      fmt::format("ALTER ROLE {} REPLICATION; on {}.",
                                  pg::QuoteIdentifier(role.Text(0, 1)), side));
  }
}

void RequireNewName(const std::string& name) {
  for (const std::string_view use : {"_capture", "_load"}) {
    if (!name.ends_with(use)) continue;
    throw pg::ConfigError(
        fmt::format("--name {}: it could be a slot of deployment {}, and either would take it for "
                    "its own",
                    name, name.substr(0, name.size() - use.size())),
        "Give a new deployment a name that does not end in _capture or _load.");
  }
}

void PreparePublication(pg::Connection& blue, const Deployment& deployment,
                        const BootstrapOptions& options) {
  RequireLogical(blue, deployment.sides.blue);
  CreatePublication(blue, deployment, options);
}

void CreateSlot(pg::Connection& blue, pg::ReplicationConnection& stream, const std::string& slot,
                bool temporary) {
  RequireFreeSlot(blue);
  spdlog::info("creating slot {} on {}: waits for the transactions that are writing now", slot,
               blue.description());
  const auto created = stream.CreateSlot(slot, temporary, false);
  spdlog::info("slot {} created consistent_point={}", slot, created.consistent_point);
}

pg::CreatedSlot CreateExportingSlot(pg::ReplicationConnection& stream, const std::string& slot,
                                    bool is_temporary) {
  spdlog::info("creating slot {} on {}: waits for the transactions that are writing now", slot,
               stream.session().description());
  for (int attempt = 1;; ++attempt) {
    try {
      auto created = stream.CreateSlot(slot, is_temporary, true);
      spdlog::info("slot {} created consistent_point={}", slot, created.consistent_point);
      return created;
    } catch (const pg::ServerError& error) {
      if (error.sqlstate() != kInternalError || attempt == kSlotAttempts) throw;
      spdlog::info("creating the slot is tried again: {}", error.what());
    }
  }
}

PreparedSource PrepareSource(pg::Connection& blue, const Deployment& deployment,
                             const BootstrapOptions& options, const pg::SessionOptions& session) {
  PreparePublication(blue, deployment, options);
  if (auto slot = pg::FindSlot(blue, deployment.name)) return {.slot = *slot, .stream = nullptr};
  RequireNewName(deployment.name);
  auto membership = ReadMembership(blue, deployment.name);
  auto stream = std::make_unique<pg::ReplicationConnection>(deployment.source, session);
  CreateSlot(blue, *stream, deployment.name, false);
  auto slot = pg::FindSlot(blue, deployment.name);
  if (!slot) throw pg::Refused(fmt::format("slot {} vanished", deployment.name));
  return {.slot = *slot, .stream = std::move(stream), .membership = std::move(membership)};
}

void KeepMembership(pg::Connection& blue, const std::string& deployment) {
  if (pg::FindSlot(blue, deployment)) return;
  try {
    applier::EnsureSchema(blue);
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kNotAllowed) throw;
    spdlog::warn(
        "our role may not create schema pgteal on blue, so nothing tells a table that is added to "
        "the publication before the first run: add none, or GRANT CREATE on the database first");
    return;
  }
  RecordPrepared(blue, deployment, ReadMembership(blue, deployment));
}

bool IsOurPublication(pg::Connection& blue, const std::string& name) {
  return !blue.Exec(
                  "SELECT FROM pg_publication WHERE pubname = $1"
                  " AND obj_description(oid, 'pg_publication') = $2",
                  {name, kPublicationComment})
              .is_empty();
}

void RequireWritable(pg::Connection& green, const applier::SideNames& sides) {
  if (!pg::IsInRecovery(green)) return;
  throw pg::Refused(sides.Format("green is a standby and cannot be written"),
                    "Name its primary instead, or promote it.");
}

void ClaimStart(pg::Connection& green, const std::string& deployment) {
  const auto lock = green.Exec(
      "SELECT pg_try_advisory_lock(hashtext('pgteal start'), hashtext($1))", {deployment});
  if (!lock.Bool(0, 0) || !DeploymentState(green, deployment).empty()) {
    throw pg::Refused(fmt::format("another process is starting deployment {}", deployment),
                      "Leave it to that one; once it has ended, the same command goes on.");
  }
  applier::EnsureSchema(green);
}

void BeginDeployment(pg::Connection& green, const std::string& name,
                     const pg::SystemIdentity& source, pg::Lsn consistent_point, pg::Lsn start,
                     const std::string& state) {
  green.Exec("BEGIN");
  ClaimStart(green, name);
  green.Exec(
      "INSERT INTO pgteal.deployment (name, state, slot, publication, source_system_identifier,"
      " source_timeline, source_database, consistent_point) VALUES ($1, $6, $1, $1, $2,"
      " $3, $4, $5)",
      {name, source.system_identifier, std::to_string(source.timeline), source.database,
       consistent_point.ToString(), state});
  applier::InsertProgress(green, name, start);
  applier::RecordEvent(green, name, "bootstrap", fmt::format("begins at {}", start));
  SetReadOnly(green, name);
  green.Exec("COMMIT");
  spdlog::info("green prepared slot={} start_lsn={}", name, start);
}

void PrepareTarget(pg::Connection& blue, pg::Connection& green, const Deployment& deployment,
                   PreparedSource source, std::optional<pg::Lsn> start_lsn,
                   const pg::SessionOptions& session) {
  const pg::Slot& slot = source.slot;
  if (start_lsn && slot.confirmed_flush_lsn > *start_lsn) {
    throw pg::Refused(
        fmt::format("slot {} is already past {}: it stands at {}, and what was committed between "
                    "would be lost",
                    slot.name, *start_lsn, slot.confirmed_flush_lsn),
        "Take the snapshot after `pgteal prepare`, and begin at the LSN it corresponds to.");
  }
  if (!source.stream) {
    source.stream = std::make_unique<pg::ReplicationConnection>(deployment.source, session);
  }
  const auto identity = source.stream->IdentifySystem();
  if (pg::CompareServers(source.stream->session(), green) == pg::SameServer::kSameDatabase) {
    throw pg::Refused("blue and green are the same database",
                      "Point --source and --target at two databases.");
  }
  RequireWritable(green, deployment.sides);
  // Before the deployment is on record: a start that is interrupted is made anew.
  ClaimStart(green, deployment.name);
  ForgetTableStates(green, deployment.name);
  if (source.membership) {
    RecordAllComplete(green, deployment.name, *source.membership);
  } else if (applier::IsSchemaLacking(blue) || !TakePrepared(blue, green, deployment.name)) {
    RecordAllComplete(green, deployment.name, ReadMembership(blue, deployment.name));
  }
  BeginDeployment(green, deployment.name, identity, slot.confirmed_flush_lsn,
                  start_lsn.value_or(slot.confirmed_flush_lsn));
}

bool IsPrepared(const Deployment& deployment, const pg::SessionOptions& session) {
  pg::Connection green(deployment.target, session);
  return applier::HasSchema(green) && applier::ReadProgress(green, deployment.name).has_value();
}

}  // namespace pgteal::pipeline
