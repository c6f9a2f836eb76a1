#include "tools/check/pair_checks.h"

#include <fmt/format.h>

#include <set>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pg/replication.h"
#include "pipeline/back_publication.h"
#include "pipeline/fence.h"
#include "pipeline/options.h"
#include "pipeline/read_only.h"
#include "pipeline/schema_baseline.h"
#include "pipeline/schema_catalog.h"
#include "tools/check/server_bugs.h"

namespace pgteal::tools {
namespace {

constexpr int kNewestTested = 18;
// A slot becomes consistent once the transactions that write now have ended.
constexpr const char* kSlotWait = "SET statement_timeout = '5s'";
constexpr const char* kCanceled = "57014";

CheckAnswer Found(std::string object, std::string fix = "", Level level = Level::kNone) {
  return {.findings = {{.finding = {.object = std::move(object), .fix = std::move(fix)},
                        .level = level}},
          .skipped = ""};
}

CheckAnswer Skipped(std::string why) { return {.findings = {}, .skipped = std::move(why)}; }

pg::SessionOptions Session(const CheckContext& context) {
  return pipeline::SessionOptionsFor("check", context.options.name, nullptr);
}

std::string ServerText(pg::Connection& connection) {
  return connection
      .Exec(
          "SELECT concat_ws(' ', pg_postmaster_start_time(), inet_server_addr(),"
          " inet_server_port())")
      .String(0, 0);
}

std::string ReplicaRoleFix(pg::Connection& connection) {
  const auto role = connection.Exec("SELECT quote_ident(current_user)").String(0, 0);
  return connection.server_version() >= 150000
             ? fmt::format("GRANT SET ON PARAMETER session_replication_role TO {};", role)
             : fmt::format("ALTER ROLE {} SUPERUSER;", role);
}

// What only the replica role keeps silent, by table. Follows pipeline::kUserObjects; $1 is the
// publication, without which it will be of all tables. A row that is routed to a partition meets
// that one's triggers, but not its rules. A trigger's copies in partitions count as the table's. A
// foreign key is the finding of the table whose rows it changes.
constexpr const char* kNoisySql = R"(
, published AS (
  SELECT t.* FROM tables AS t WHERE t.relpersistence = 'p'
     AND (NOT EXISTS (SELECT FROM pg_publication WHERE pubname = $1)
          OR EXISTS (SELECT FROM pg_publication_tables AS p WHERE p.pubname = $1
                      AND p.schemaname = t.nspname AND p.tablename = t.relname))),
members AS (SELECT oid FROM published
            UNION SELECT m.relid FROM published AS p, pg_partition_tree(p.oid) AS m)
SELECT n.name, string_agg(n.what, ', ' ORDER BY n.what) FROM (
  SELECT DISTINCT r.name, format('trigger %I', g.tgname) AS what
    FROM pg_trigger AS g JOIN members AS m ON m.oid = g.tgrelid
    JOIN relations AS r ON r.oid = CASE WHEN g.tgparentid = 0 THEN g.tgrelid
                                        ELSE pg_partition_root(g.tgrelid) END
   WHERE NOT g.tgisinternal AND g.tgenabled = 'O'
  UNION ALL
  SELECT p.name, format('rule %I', w.rulename)
    FROM pg_rewrite AS w JOIN published AS p ON p.oid = w.ev_class
   WHERE w.ev_enabled = 'O'
  UNION ALL
  SELECT r.name, format('foreign key %I', c.conname)
    FROM pg_constraint AS c JOIN relations AS r ON r.oid = c.conrelid
   WHERE c.contype = 'f' AND c.conparentid = 0
     AND coalesce(to_jsonb(c)->>'conenforced', 'true') = 'true'
     AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
     AND EXISTS (SELECT FROM members AS m WHERE m.oid = c.confrelid
                     OR m.oid IN (SELECT relid FROM pg_partition_tree(c.confrelid)))
 ) AS n GROUP BY n.name ORDER BY n.name)";

}  // namespace

CheckAnswer CheckWalsender(const CheckContext& context) {
  if (!context.options.source) return Skipped("no connection string for a session of its own");
  try {
    pg::ReplicationConnection stream(*context.options.source, Session(context));
    (void)stream.IdentifySystem();
    return {};
  } catch (const pg::Interrupted&) {
    throw;
  } catch (const pg::Error& error) {
    return Found(error.what());
  }
}

CheckAnswer CheckOneEndpoint(const CheckContext& context) {
  if (!context.options.source) return Skipped("no connection string for a session of its own");
  const std::string here = ServerText(*context.blue);
  try {
    pg::Connection second(*context.options.source, Session(context));
    const std::string there = ServerText(second);
    if (here == there) return {};
    return Found(fmt::format("two sessions reached two servers: {} and {}", here, there));
  } catch (const pg::Interrupted&) {
    throw;
  } catch (const pg::Error& error) {
    return Found(error.what());
  }
}

CheckAnswer CheckVersions(const CheckContext& context) {
  const int blue = context.blue->server_version() / 10000;
  const int green = context.green->server_version() / 10000;
  CheckAnswer answer;
  if (green < blue) {
    answer = Found(fmt::format("{} is PostgreSQL {}, {} is {}", context.options.sides.blue, blue,
                               context.options.sides.green, green));
  }
  for (const auto& bug : KnownServerBugs(context.blue->server_version())) {
    answer.findings.push_back(
        {.finding = {.object = fmt::format("{}: {}", context.options.sides.blue, bug), .fix = ""},
         .level = Level::kWarn});
  }
  for (const int version : {blue, green}) {
    if (version <= kNewestTested) continue;
    answer.findings.push_back(
        {.finding = {.object = fmt::format("PostgreSQL {} is newer than this pgteal", version),
                     .fix = ""},
         .level = Level::kWarn});
  }
  return answer;
}

CheckAnswer CheckTwoDatabases(const CheckContext& context) {
  switch (pg::CompareServers(*context.blue, *context.green)) {
    case pg::SameServer::kSameDatabase:
      return Found("blue and green are the same database");
    case pg::SameServer::kSameServer:
      // Roles are the server's: those that blue's fence closes could not log into green either.
      return Found("blue and green are databases of one server", "",
                   context.options.phase == CheckPhase::kSwitchover ? Level::kFatal : Level::kWarn);
    case pg::SameServer::kNo:
      break;
  }
  return {};
}

CheckAnswer CheckSameBlue(const CheckContext& context) {
  const auto known = context.green->Exec(
      "SELECT source_system_identifier, source_database FROM pgteal.deployment WHERE name = $1",
      {context.options.name});
  if (known.is_empty()) return Skipped(context.options.sides.green + " holds no such deployment");
  const auto now =
      context.blue->Exec("SELECT system_identifier, current_database() FROM pg_control_system()");
  if (known.Text(0, 0) == now.Text(0, 0) && known.Text(0, 1) == now.Text(0, 1)) return {};
  return Found(fmt::format("it began with database {} of system {}, this is {} of {}",
                           known.Text(0, 1), known.Text(0, 0), now.Text(0, 1), now.Text(0, 0)));
}

// As run --copy data asks it, of the tables that it will copy.
CheckAnswer CheckEmptyTables(const CheckContext& context) {
  constexpr const char* kPlannedSql =
      "SELECT t.name FROM tables AS t WHERE t.relpersistence = 'p' AND CASE"
      " WHEN EXISTS (SELECT FROM pg_publication WHERE pubname = $1)"
      " THEN EXISTS (SELECT FROM pg_publication_tables AS p WHERE p.pubname = $1"
      " AND p.schemaname = t.nspname AND p.tablename = t.relname)"
      " ELSE t.relkind = 'r' END";
  constexpr const char* kWithPagesSql =
      "SELECT t.name, CASE t.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || t.name FROM tables AS t"
      " WHERE t.relkind = 'p' OR pg_relation_size(t.oid) > 0 ORDER BY 1";
  const auto copied =
      context.blue->Exec(std::string(pipeline::kUserObjects) + kPlannedSql, {context.options.name});
  std::set<std::string> planned;
  for (int i = 0; i < copied.rows(); ++i) planned.insert(copied.String(i, 0));
  const auto tables = context.green->Exec(std::string(pipeline::kUserObjects) + kWithPagesSql);
  CheckAnswer answer;
  for (int i = 0; i < tables.rows(); ++i) {
    const std::string name = tables.String(i, 0);
    if (!planned.contains(name)) continue;
    const auto row =
        context.green->Exec(fmt::format("SELECT EXISTS (SELECT FROM {})", tables.Text(i, 1)));
    if (!row.Bool(0, 0)) continue;
    answer.findings.push_back(
        {.finding = {.object = name, .fix = fmt::format("TRUNCATE {};", name)},
         .level = Level::kNone});
  }
  return answer;
}

CheckAnswer CheckLocales(const CheckContext& context) {
  // Columns that only some versions have are read through jsonb.
  constexpr const char* kSql =
      "SELECT pg_encoding_to_char(encoding), datcollate, datctype,"
      " coalesce(to_jsonb(d)->>'datlocprovider', 'c'), coalesce(to_jsonb(d)->>'datlocale',"
      " to_jsonb(d)->>'daticulocale', '') FROM pg_database AS d WHERE datname = current_database()";
  constexpr const char* kNames[] = {"encoding", "LC_COLLATE", "LC_CTYPE", "locale provider",
                                    "locale"};
  const auto blue = context.blue->Exec(kSql);
  const auto green = context.green->Exec(kSql);
  CheckAnswer answer;
  for (int i = 0; i < blue.columns(); ++i) {
    if (blue.Text(0, i) == green.Text(0, i)) continue;
    const bool is_lossy = i == 0 && (green.Text(0, 0) != "UTF8" || blue.Text(0, 0) == "SQL_ASCII");
    answer.findings.push_back(
        {.finding = {.object = fmt::format("{} is {} on {}, {} on {}", kNames[i], blue.Text(0, i),
                                           context.options.sides.blue, green.Text(0, i),
                                           context.options.sides.green),
                     .fix = ""},
         .level = is_lossy ? Level::kFatal : Level::kNone});
  }
  return answer;
}

CheckAnswer CheckPlugin(const CheckContext& context) {
  auto& blue = *context.blue;
  if (pg::Setting(blue, "wal_level") != "logical") return Skipped("wal_level is not logical");
  const std::string name = fmt::format("pgteal_check_{}", blue.backend_pid());
  try {
    blue.Exec(kSlotWait);
    blue.Exec("SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)", {name});
    blue.Exec("SET statement_timeout = 0");
    pg::DropSlot(blue, name);
    return {};
  } catch (const pg::ServerError& error) {
    blue.Exec("SET statement_timeout = 0");
    if (error.sqlstate() == "42501") throw;
    if (error.sqlstate() == kCanceled) {
      return Skipped("a slot waits for the transactions that are writing now (see F1, F2)");
    }
    return Found(error.what());
  }
}

CheckAnswer CheckReplicaRole(const CheckContext& context) {
  auto& green = *context.green;
  const auto role = green.Exec("SELECT quote_ident(current_user)").String(0, 0);
  CheckAnswer answer;
  if (!pg::MaySetReplicaRole(green)) {
    answer = Found(
        fmt::format("session_replication_role may not be set: changes are applied one by one, and "
                    "{}'s triggers fire",
                    context.options.sides.green),
        ReplicaRoleFix(green));
  }
  if (!pg::MayUseOrigins(green)) {
    answer.findings.push_back(
        {.finding = {.object = "replication origins may not be used: commits are not tagged",
                     .fix = fmt::format("GRANT EXECUTE ON FUNCTION pg_replication_origin_create, "
                                        "pg_replication_origin_oid, "
                                        "pg_replication_origin_session_setup, "
                                        "pg_replication_origin_xact_setup TO {};",
                                        role)},
         .level = Level::kInfo});
  }
  return answer;
}

CheckAnswer CheckSilentWayBack(const CheckContext& context) {
  auto& blue = *context.blue;
  if (pg::MaySetReplicaRole(blue)) return {};
  const std::string fix = ReplicaRoleFix(blue);
  const auto noisy =
      blue.Exec(std::string(pipeline::kUserObjects) + kNoisySql, {context.options.name});
  if (noisy.is_empty()) {
    return Found("session_replication_role may not be set: what comes back is applied one by one",
                 fix, Level::kInfo);
  }
  CheckAnswer answer;
  for (int i = 0; i < noisy.rows(); ++i) {
    answer.findings.push_back(
        {.finding = {.object = fmt::format("{}: {}", noisy.Text(i, 0), noisy.Text(i, 1)),
                     .fix = fix},
         .level = Level::kNone});
  }
  return answer;
}

// Tables that were left out from the start are a warning: their rows are not on green.
CheckAnswer CheckUnpublished(const CheckContext& context) {
  const auto& name = context.options.name;
  const auto baseline = applier::HasSchema(*context.green)
                            ? pipeline::ReadBaseline(*context.green, name)
                            : std::nullopt;
  CheckAnswer answer;
  for (const auto& table : pipeline::UnpublishedTables(*context.blue, name)) {
    const pipeline::SchemaDifference difference{.what = pipeline::Difference::kMissing,
                                                .kind = pipeline::kPublishedTable,
                                                .object = table,
                                                .blue = "",
                                                .green = "",
                                                .fix = ""};
    answer.findings.push_back(
        {.finding = {.object = table + " is not in the publication",
                     .fix =
                         fmt::format("ALTER PUBLICATION {} ADD TABLE ONLY {}; -- on {}",
                                     pg::QuoteIdentifier(name), table, context.options.sides.blue)},
         .level =
             baseline && !pipeline::IsKnown(*baseline, difference) ? Level::kNone : Level::kWarn});
  }
  return answer;
}

// A role that reads only on both sides is meant to; one that green alone lets in has never written.
CheckAnswer CheckFence(const CheckContext& context) {
  CheckAnswer answer;
  for (const auto& role : pipeline::RolesBeyondReach(
           *context.blue,
           {.deployment = context.options.name, .leave_roles = context.options.leave_roles})) {
    answer.findings.push_back(
        {.finding = {.object = "role " + role.name, .fix = role.fix}, .level = Level::kNone});
  }
  return answer;
}

CheckAnswer CheckKeptOut(const CheckContext& context) {
  constexpr const char* kMayWriteSql =
      "SELECT EXISTS (SELECT FROM tables WHERE"
      " has_table_privilege($1, oid, 'INSERT, UPDATE, DELETE'))";
  CheckAnswer answer;
  for (const auto& role : pipeline::RolesKeptOut(*context.green)) {
    const bool may_write =
        context.green->Exec(std::string(pipeline::kUserObjects) + kMayWriteSql, {role.name})
            .Bool(0, 0);
    answer.findings.push_back({.finding = {.object = pipeline::Describe(role), .fix = ""},
                               .level = may_write ? Level::kNone : Level::kWarn});
  }
  return answer;
}

CheckAnswer CheckReadOnlyRoles(const CheckContext& context) {
  std::set<std::string> writers;
  const auto logins = context.blue->Exec(std::string("SELECT r.rolname FROM pg_roles AS r WHERE ") +
                                         pipeline::kLogsInSql);
  for (int i = 0; i < logins.rows(); ++i) writers.insert(logins.String(i, 0));
  std::set<std::string> readers;
  for (const auto& one : pipeline::FindReadOnlyRoles(*context.blue)) {
    readers.insert(one.role);
  }
  CheckAnswer answer;
  for (const auto& one : pipeline::FindReadOnlyRoles(*context.green)) {
    if (readers.contains(one.role)) continue;
    answer.findings.push_back({.finding = {.object = fmt::format("role {} is read-only by default",
                                                                 pg::QuoteIdentifier(one.role)),
                                           .fix = one.fix},
                               .level = writers.contains(one.role) ? Level::kNone : Level::kWarn});
  }
  return answer;
}

// What the role that asks may: the one of the switchover.
CheckAnswer CheckBackPublication(const CheckContext& context) {
  try {
    CheckAnswer answer;
    const auto plan =
        pipeline::PlanBackPublication(*context.blue, *context.green, context.options.name);
    for (const auto& obstacle : plan.obstacles) {
      answer.findings.push_back(
          {.finding = {.object = obstacle.what, .fix = obstacle.fix}, .level = Level::kNone});
    }
    return answer;
  } catch (const pg::Refused& error) {
    return Skipped(error.what());
  }
}

}  // namespace pgteal::tools
