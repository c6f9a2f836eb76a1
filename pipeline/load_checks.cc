#include "pipeline/load_checks.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <set>
#include <utility>

#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/bootstrap.h"
#include "pipeline/slot_use.h"
#include "pipeline/source_identity.h"

namespace pgteal::pipeline {
namespace {

// Names shown of a long list.
constexpr int kNamesMax = 20;

// Owners of and grantees on the database's objects.
constexpr const char* kRolesSql = R"(
SELECT DISTINCT r.rolname FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
 WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname !~ '^pg_'
   AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1)";

constexpr const char* kUserRelationsSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
   AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1)";

constexpr const char* kPartitionsSql =
    "SELECT n.nspname, c.relname FROM pg_partition_tree(to_regclass($1)) AS t"
    " JOIN pg_class AS c ON c.oid = t.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace";

constexpr const char* kNotCopiedSql = R"(
SELECT CASE WHEN c.relkind = 'f' THEN 'foreign table (its rows live elsewhere)'
            WHEN c.relpersistence = 'u' THEN 'unlogged table (created empty)'
            WHEN EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                          AND d.objid = c.oid AND d.deptype = 'e')
                 THEN 'table of an extension (holds what CREATE EXTENSION puts there)'
            ELSE 'not in the publication (created empty)' END,
       string_agg(quote_ident(n.nspname) || '.' || quote_ident(c.relname), ', ' ORDER BY 1)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgteal')
   AND (c.relkind = 'f' OR c.relkind = 'r')
   AND (c.relkind = 'f' OR c.relpersistence = 'u'
        OR EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
        OR NOT EXISTS (SELECT 1 FROM pg_publication_tables AS p WHERE p.pubname = $1
             AND (p.schemaname, p.tablename) IN (SELECT an.nspname, ac.relname
                  FROM (SELECT c.oid AS relid
                        UNION SELECT relid FROM pg_partition_ancestors(c.oid)) AS a
                  JOIN pg_class AS ac ON ac.oid = a.relid
                  JOIN pg_namespace AS an ON an.oid = ac.relnamespace)))
 GROUP BY 1 ORDER BY 1)";

// What a DELETE of $1's rows would do to the rows of other tables. A foreign key to a partitioned
// table has a row of its own for each partition, whose triggers fire; one of a partitioned table
// has one for each partition, too, and these say the same once more.
constexpr const char* kCascadesSql = R"(
WITH emptied AS (
  SELECT to_regclass($1)::oid AS oid UNION SELECT relid FROM pg_partition_tree(to_regclass($1)))
SELECT quote_ident(f.conname) || ' of ' || f.conrelid::regclass FROM pg_constraint AS f
 WHERE f.contype = 'f' AND f.confdeltype IN ('c', 'n', 'd')
   AND f.confrelid IN (SELECT oid FROM emptied)
   AND NOT EXISTS (SELECT FROM pg_constraint AS up WHERE up.oid = f.conparentid
                    AND up.confrelid IN (SELECT oid FROM emptied))
 ORDER BY 1)";

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  int shown = 0;
  for (const auto& name : names) {
    if (shown++ == kNamesMax) return fmt::format("{} … ({} in all)", text, names.size());
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::vector<std::string> Column(const pg::Result& rows, int column = 0) {
  std::vector<std::string> values;
  for (int i = 0; i < rows.rows(); ++i) values.push_back(rows.String(i, column));
  return values;
}

std::vector<std::string> Missing(pg::Connection& blue, pg::Connection& green,
                                 const std::string& wanted_sql, const std::string& there_sql) {
  const auto there = Column(green.Exec(there_sql));
  const std::set<std::string> known(there.begin(), there.end());
  std::vector<std::string> missing;
  for (const auto& name : Column(blue.Exec(wanted_sql))) {
    if (!known.contains(name)) missing.push_back(name);
  }
  return missing;
}

}  // namespace

void RequirePair(pg::Connection& blue, pg::Connection& green, const applier::SideNames& sides) {
  if (pg::CompareServers(blue, green) == pg::SameServer::kSameDatabase) {
    throw pg::Refused("blue and green are the same database",
                      "Point --source and --target at two databases.");
  }
  RequireWritable(green, sides);
}

void RequireEncoding(pg::Connection& blue, pg::Connection& green) {
  const std::string from = pg::Setting(blue, "server_encoding");
  const std::string to = pg::Setting(green, "server_encoding");
  if (from != to && (to != "UTF8" || from == "SQL_ASCII")) {
    throw pg::Refused(
        fmt::format("blue's encoding is {}, green's is {}: green cannot hold every text of blue's",
                    from, to),
        fmt::format("CREATE DATABASE … ENCODING '{}' TEMPLATE template0; on green.", from));
  }
}

void RequireEmptyTarget(pg::Connection& green) {
  const auto names = Column(green.Exec(kUserRelationsSql));
  if (!names.empty()) {
    throw pg::Refused("green is not empty; pgteal did not make " + Join(names),
                      "Point --target at an empty database, or use --copy data if the schema is "
                      "there already.");
  }
  const auto objects = green.Exec("SELECT count(*) FROM pg_largeobject_metadata");
  if (objects.Int(0, 0) != 0) {
    throw pg::Refused("green holds large objects that pgteal did not make",
                      "Point --target at an empty database.");
  }
}

void RequireRolesAndExtensions(pg::Connection& blue, pg::Connection& green,
                               const DumpOptions& options) {
  if (!options.no_owner || !options.no_privileges) {
    const auto roles = Missing(blue, green, kRolesSql, "SELECT rolname FROM pg_roles");
    if (!roles.empty()) {
      throw pg::Refused("green lacks roles that own or may use blue's objects: " + Join(roles),
                        "Create them on green (pg_dumpall --roles-only), or use --no-owner and "
                        "--no-privileges.");
    }
  }
  const auto extensions = Missing(blue, green, "SELECT extname FROM pg_extension ORDER BY 1",
                                  "SELECT name FROM pg_available_extensions");
  if (!extensions.empty()) {
    throw pg::Refused("green's server lacks extensions: " + Join(extensions),
                      "Install their packages on green's server.");
  }
}

void RequireEmptyTables(pg::Connection& green, const std::vector<PlannedTable>& plan) {
  std::vector<std::string> filled;
  for (const auto& table : plan) {
    const auto row = green.Exec(
        fmt::format("SELECT EXISTS (SELECT FROM {}{})", table.only(), table.qualified()));
    if (row.Bool(0, 0)) filled.push_back(table.qualified());
  }
  if (filled.empty()) return;
  throw pg::Refused("tables on green hold rows that pgteal did not write: " + Join(filled),
                    "Empty them, or use --copy none if green holds blue's rows already.");
}

void RequireIdleSlot(pg::Connection& blue, const Deployment& deployment, bool is_resumed) {
  const auto slot = pg::FindSlot(blue, deployment.name);
  if (is_resumed && !slot) {
    throw pg::Refused(deployment.sides.Format("slot {} does not exist on blue", deployment.name),
                      "Somebody dropped it. Run `pgteal cleanup` and begin anew.");
  }
  if (!slot) return;
  RequireKeptSlot(*slot, deployment.sides);
  if (SlotUser(blue, deployment.name)) {
    throw pg::Refused(fmt::format("another process streams from slot {}", deployment.name),
                      "Stop it first: this load and its stream must not overlap.");
  }
}

std::set<TableKey> FindPublished(pg::Connection& blue, const Deployment& deployment,
                                 const std::set<TableKey>& tables) {
  const auto published = KeysOf(ReadPlan(blue, deployment.name));
  std::set<TableKey> found;
  for (const auto& table : tables) {
    bool is_published = published.contains(table);
    if (is_published) found.insert(table);
    const auto members = blue.Exec(kPartitionsSql, {pg::QuoteQualified(table.first, table.second)});
    for (int i = 0; i < members.rows(); ++i) {
      const TableKey key{members.String(i, 0), members.String(i, 1)};
      if (!published.contains(key)) continue;
      found.insert(key);
      is_published = true;
    }
    if (is_published) continue;
    throw pg::ConfigError(
        deployment.sides.Format("--reload-table {}.{}: publication {} on blue holds no such table",
                                table.first, table.second, deployment.name),
        "Write it as schema.table, as the catalog does; a partition goes with its table.");
  }
  return found;
}

void NarrowPlan(pg::Connection& green, const Deployment& deployment,
                const std::set<TableKey>& wanted, std::vector<PlannedTable>* plan) {
  const auto states = ReadTableStates(green, deployment.name);
  std::vector<PlannedTable> copied;
  std::vector<PlannedTable> narrow;
  for (auto& table : *plan) {
    const TableKey key{table.schema, table.name};
    const auto state = states.find(key);
    if (wanted.contains(key)) {
      narrow.push_back(std::move(table));
    } else if (state != states.end() && state->second.phase == "copied") {
      copied.push_back(std::move(table));
    }
  }
  MatchTarget(green, deployment.sides, &copied);
  *plan = std::move(narrow);
}

void RequireNoCascade(pg::Connection& green, const applier::SideNames& sides,
                      const PlannedTable& table) {
  if (!table.has_references || pg::Setting(green, "session_replication_role") == "replica") return;
  if (green.Exec("SELECT FROM " + table.only() + table.qualified() + " LIMIT 1").is_empty()) return;
  const auto keys = Column(green.Exec(kCascadesSql, {table.qualified()}));
  if (keys.empty()) return;
  throw pg::Refused(
      sides.Format("{}.{} cannot be emptied to be copied anew: foreign keys would delete or change "
                   "rows of other tables on green, and our role may not silence them: {}",
                   table.schema, table.name, Join(keys)),
      sides.Format(
          "Let it set session_replication_role on green (README, Privileges; before version 15 a "
          "superuser only), then run the same command again."));
}

void RequireReloadable(pg::Connection& green, const applier::SideNames& sides,
                       std::vector<PlannedTable>* plan) {
  MatchTarget(green, sides, plan);
  for (const auto& table : *plan) RequireNoCascade(green, sides, table);
}

void WarnOfNotCopied(pg::Connection& blue, const std::string& publication) {
  const auto rows = blue.Exec(kNotCopiedSql, {publication});
  for (int i = 0; i < rows.rows(); ++i) {
    spdlog::warn("not copied: {}: {}", rows.Text(i, 0), rows.Text(i, 1));
  }
  const auto subscriptions =
      blue.Exec("SELECT count(*) FROM pg_stat_subscription WHERE subid IS NOT NULL");
  if (subscriptions.Int(0, 0) != 0) {
    spdlog::warn("not copied: subscriptions of blue: make them on green after the switchover");
  }
}

}  // namespace pgteal::pipeline
