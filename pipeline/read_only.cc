#include "pipeline/read_only.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/schema.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/fence.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kNotAllowed = "42501";

// The more particular of the settings counts. {0} is what fences have changed, if there are any;
// {1} who may log in.
constexpr const char* kRolesSql = R"(
WITH fence AS ({0}),
 settings AS (
  SELECT s.setrole, s.setdatabase <> 0 AS is_local,
         CASE WHEN f.kind IS NULL THEN split_part(c.setting, '=', 2) ELSE f.former END AS value
    FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)
    LEFT JOIN pg_roles AS r ON r.oid = s.setrole
    LEFT JOIN fence AS f ON f.role = r.rolname
     AND f.kind = CASE WHEN s.setdatabase = 0 THEN 'role' ELSE 'role in database' END
   WHERE starts_with(c.setting, 'default_transaction_read_only=')
     AND (s.setdatabase = 0 OR (s.setrole <> 0 AND s.setdatabase =
          (SELECT oid FROM pg_database WHERE datname = current_database())))),
 roles AS (
  SELECT r.rolname,
         (SELECT value::boolean FROM settings WHERE setrole = r.oid AND is_local) AS here,
         (SELECT value::boolean FROM settings WHERE setrole = r.oid AND NOT is_local) AS anywhere,
         (SELECT value::boolean FROM settings WHERE setrole = 0) AS of_all
    FROM pg_roles AS r
   WHERE ({1} OR EXISTS (SELECT FROM fence WHERE kind = 'login' AND role = r.rolname))
     AND r.rolname NOT IN (current_user, session_user)
     AND has_database_privilege(r.oid, current_database(), 'CONNECT'))
SELECT rolname, format('ALTER ROLE %s RESET default_transaction_read_only;',
         CASE WHEN here THEN format('%I IN DATABASE %I', rolname, current_database())
              WHEN anywhere THEN quote_ident(rolname) ELSE 'ALL' END)
  FROM roles WHERE coalesce(here, anywhere, of_all) ORDER BY 1)";
// Whosever they are: what one finds changed already it remembers as the one before did.
constexpr const char* kFenceSql =
    "SELECT DISTINCT ON (kind, role) kind, role, former FROM pgteal.fence"
    " ORDER BY kind, role, deployment";
constexpr const char* kNoFence =
    "SELECT NULL::text AS kind, NULL::text AS role, NULL::text AS former WHERE false";

// The default of the database; empty when there is none.
constexpr const char* kDefaultSql =
    "SELECT substr(c.setting, 31) FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig)"
    " AS c(setting) WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database"
    " WHERE datname = current_database())"
    " AND starts_with(c.setting, 'default_transaction_read_only=')";

// Others than deployment $1 that have made green read-only and to which it is not open. Each one's
// first event tells what it was before.
constexpr const char* kOthersSql =
    "SELECT DISTINCT ON (e.deployment) e.detail FROM pgteal.event AS e"
    " LEFT JOIN pgteal.deployment AS d ON d.name = e.deployment WHERE e.kind = 'read_only'"
    " AND e.deployment <> $1 AND d.state IS DISTINCT FROM 'switched' ORDER BY e.deployment, e.id";

std::string Alter(pg::Connection& green) {
  return "ALTER DATABASE " +
         pg::QuoteIdentifier(green.Exec("SELECT current_database()").Text(0, 0));
}

// Another deployment whose writes this side takes; empty for none.
std::string OpenFor(pg::Connection& green, const std::string& deployment) {
  const auto row =
      green.Exec("SELECT min(name) FROM pgteal.deployment WHERE name <> $1 AND state = 'switched'",
                 {deployment});
  return row.String(0, 0);
}

bool HasSetReadOnly(pg::Connection& green, const std::string& deployment) {
  return !green
              .Exec("SELECT FROM pgteal.event WHERE deployment = $1 AND kind = 'read_only' LIMIT 1",
                    {deployment})
              .is_empty();
}

bool IsHeldByFence(pg::Connection& green, const std::string& deployment) {
  return !green
              .Exec("SELECT FROM pgteal.fence WHERE deployment <> $1 AND kind = 'database' LIMIT 1",
                    {deployment})
              .is_empty();
}

}  // namespace

void SetReadOnly(pg::Connection& green, const std::string& deployment) {
  const std::string other = OpenFor(green, deployment);
  if (!other.empty()) {
    spdlog::warn("green takes the writes of deployment {} and stays writable for everybody who may",
                 other);
    return;
  }
  const auto found = green.Exec(kDefaultSql);
  std::string former = found.is_empty() ? "unset" : found.String(0, 0);
  if (former == "on") {
    const auto others = green.Exec(kOthersSql, {deployment});
    if (!others.is_empty()) former = others.String(0, 0);  // it is what the other one has set
  }
  green.Exec("SAVEPOINT read_only");
  try {
    green.Exec(Alter(green) + " SET default_transaction_read_only = on");
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kNotAllowed) throw;
    green.Exec("ROLLBACK TO SAVEPOINT read_only");
    spdlog::warn("our role may not make green's database read-only: keep applications off it");
    return;
  }
  applier::RecordEvent(green, deployment, "read_only", former);
}

void UnsetReadOnly(pg::Connection& green, const std::string& deployment) {
  // The first event tells what it was before we came.
  const auto former = green.Exec(
      "SELECT detail FROM pgteal.event WHERE deployment = $1 AND kind = 'read_only'"
      " ORDER BY id LIMIT 1",
      {deployment});
  if (former.is_empty()) return;
  const bool was_set = former.Text(0, 0) != "unset";
  green.Exec(Alter(green) + (was_set ? " SET default_transaction_read_only = " +
                                           pg::QuoteLiteral(former.Text(0, 0))
                                     : " RESET default_transaction_read_only"));
}

void GiveUpReadOnly(pg::Connection& green, const std::string& deployment) {
  if (!HasSetReadOnly(green, deployment) || IsHeldByFence(green, deployment)) return;
  if (!OpenFor(green, deployment).empty()) {
    MakeWritable(green, deployment);
  } else if (!green.Exec(kOthersSql, {deployment}).is_empty()) {
    // Our own turn may have opened green to everybody.
    green.Exec(Alter(green) + " SET default_transaction_read_only = on");
  } else {
    UnsetReadOnly(green, deployment);
  }
}

void ForgetReadOnly(pg::Connection& green) {
  green.Exec("UPDATE pgteal.event SET kind = 'was_read_only' WHERE kind = 'read_only'");
}

void MakeWritable(pg::Connection& green, const std::string& deployment) {
  UnsetReadOnly(green, deployment);
  const auto left = green.Exec(kDefaultSql);
  if (!left.is_empty() && green.Exec("SELECT $1::boolean", {left.String(0, 0)}).Bool(0, 0)) {
    green.Exec(Alter(green) + " RESET default_transaction_read_only");
  }
}

std::vector<ReadOnlyRole> FindReadOnlyRoles(pg::Connection& side) {
  const char* fence = applier::HasSchema(side) ? kFenceSql : kNoFence;
  const auto rows = side.Exec(fmt::format(kRolesSql, fence, kLogsInSql));
  std::vector<ReadOnlyRole> roles;
  for (int i = 0; i < rows.rows(); ++i) {
    roles.push_back({.role = rows.String(i, 0), .fix = rows.String(i, 1)});
  }
  return roles;
}

}  // namespace pgteal::pipeline
