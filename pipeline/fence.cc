#include "pipeline/fence.h"

#include <fmt/format.h>

#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {
namespace {

// Between two looks at sessions that were told to end. The server's own wait looks every 100 ms.
constexpr std::chrono::milliseconds kEndLook{2};

// $1: roles to leave alone. A superuser may close everybody; CREATEROLE nobody above itself, and
// since version 16 only roles it administers. The second column is the SQL that is missing: NULL if
// nothing is, empty if only a superuser could.
constexpr const char* kRolesSql = R"(
SELECT r.rolname, CASE WHEN me.rolsuper THEN NULL
       WHEN r.rolsuper OR (v.old AND r.rolreplication) THEN ''
       ELSE nullif(concat_ws(' ',
         CASE WHEN NOT me.rolcreaterole THEN format('ALTER ROLE %I CREATEROLE;', me.rolname) END,
         CASE WHEN NOT v.old AND NOT pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')
              THEN format('GRANT %I TO %I WITH ADMIN OPTION;', r.rolname, me.rolname) END,
         CASE WHEN NOT pg_has_role(me.oid, 'pg_signal_backend', 'USAGE')
               AND NOT pg_has_role(me.oid, r.oid, 'USAGE')
              THEN format('GRANT pg_signal_backend TO %I;', me.rolname) END), '') END
  FROM pg_roles AS r, pg_roles AS me,
       (SELECT current_setting('server_version_num')::int < 160000) AS v(old)
 WHERE me.rolname = current_user AND r.rolcanlogin
   AND r.rolname NOT IN (current_user, session_user) AND r.rolname <> ALL ($1::name[])
   AND has_database_privilege(r.oid, current_database(), 'CONNECT')
 ORDER BY 1)";

// Every place where default_transaction_read_only is set for this database: for itself, for a role,
// for a role in it. $1 as above, $2 the deployment. What another deployment's fence has set tells
// nothing of what was there before: that one knows.
constexpr const char* kDefaultsSql = R"(
SELECT d.kind, d.role, CASE WHEN f.deployment IS NULL THEN d.value ELSE f.former END
  FROM (SELECT CASE WHEN s.setrole = 0 THEN 'database' WHEN s.setdatabase = 0 THEN 'role'
                    ELSE 'role in database' END AS kind, coalesce(r.rolname, '') AS role,
               split_part(c.setting, '=', 2) AS value
          FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)
          LEFT JOIN pg_roles AS r ON r.oid = s.setrole
         WHERE starts_with(c.setting, 'default_transaction_read_only=')
           AND (s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                OR (s.setdatabase = 0 AND s.setrole <> 0))
           AND (s.setrole = 0 OR (r.rolname NOT IN (current_user, session_user)
                                  AND r.rolname <> ALL ($1::name[])))) AS d
  LEFT JOIN LATERAL (SELECT deployment, former FROM pgteal.fence
                      WHERE deployment <> $2 AND kind = d.kind AND role = d.role
                        AND d.value = 'on' LIMIT 1) AS f ON true)";

// Roles that another deployment's fence has closed already. Parameters as above.
constexpr const char* kClosedRolesSql = R"(
SELECT DISTINCT f.role FROM pgteal.fence AS f JOIN pg_roles AS r ON r.rolname = f.role
 WHERE f.deployment <> $2 AND f.kind = 'login' AND NOT r.rolcanlogin
   AND f.role <> ALL ($1::name[]))";

// What fences of this database have changed, once each; {} says which, with $1 the deployment.
constexpr const char* kFencedSql = R"(
SELECT DISTINCT ON (f.kind, f.role) f.kind, f.role, f.former
  FROM pgteal.fence AS f LEFT JOIN pg_roles AS r ON r.rolname = f.role
 WHERE (f.role = '' OR r.rolname IS NOT NULL) AND {}
 ORDER BY f.kind, f.role, f.deployment <> $1)";
constexpr const char* kOursAlone =
    "f.deployment = $1 AND NOT EXISTS (SELECT FROM pgteal.fence AS other WHERE"
    " other.deployment <> $1 AND other.kind = f.kind AND other.role = f.role)";
constexpr const char* kAnyones = "$1::text IS NOT NULL";

// $1 the deployment.
constexpr const char* kClosedByAttemptSql =
    "SELECT deployment FROM pgteal.turn WHERE deployment <> $1"
    " AND phase IN ('fenced', 'committing') ORDER BY 1 LIMIT 1";

// The kind of a stranger's backend is hidden from a role without pg_read_all_stats: such a session
// counts, unless it has no user, as autovacuum has none.
constexpr const char* kForeignSql = R"(
FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
   AND coalesce(backend_type, CASE WHEN usename IS NULL THEN 'autovacuum worker' ELSE '' END)
       NOT IN ('autovacuum worker', 'walsender', 'parallel worker')
   AND coalesce(usename, '') <> ALL ($1::name[])
   AND NOT (usename = current_user AND starts_with(application_name, 'pgteal')))";

// {"a","b\"c"}
std::string NameArray(const std::vector<std::string>& names) {
  std::string text = "{";
  for (const auto& name : names) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : name) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

std::string Database(pg::Connection& side) {
  return pg::QuoteIdentifier(side.Exec("SELECT current_database()").Text(0, 0));
}

std::string AlterSubject(const std::string& kind, const std::string& role,
                         const std::string& database) {
  if (kind == "database") return "ALTER DATABASE " + database;
  const std::string subject = "ALTER ROLE " + pg::QuoteIdentifier(role);
  return kind == "role in database" ? subject + " IN DATABASE " + database : subject;
}

// Collects statements that are then sent in one go.
class Script {
 public:
  explicit Script(std::string deployment) : deployment_(std::move(deployment)) {}

  // `former` NULL: there was none.
  void Remember(const std::string& kind, const std::string& role,
                const std::optional<std::string>& former) {
    sql_ += fmt::format(
        "INSERT INTO pgteal.fence (deployment, kind, role, former) VALUES ({}, {}, {}, {})"
        " ON CONFLICT DO NOTHING;",
        pg::QuoteLiteral(deployment_), pg::QuoteLiteral(kind), pg::QuoteLiteral(role),
        former ? pg::QuoteLiteral(*former) : "NULL");
  }
  void Add(const std::string& statement) { sql_ += statement + ";"; }
  const std::string& sql() const { return sql_; }

 private:
  const std::string deployment_;
  std::string sql_;
};

// The statements that undo what is to be found by `which`, a condition for kFencedSql.
std::string PuttingBack(pg::Connection& side, const std::string& deployment, const char* which) {
  const std::string database = Database(side);
  const auto rows = side.Exec(fmt::format(kFencedSql, which), {deployment});
  Script script(deployment);
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string kind = rows.String(i, 0);
    if (kind == "login") {
      script.Add(fmt::format("ALTER ROLE {} LOGIN", pg::QuoteIdentifier(rows.Text(i, 1))));
      continue;
    }
    const auto former = rows.Optional(i, 2);
    script.Add(AlterSubject(kind, rows.String(i, 1), database) +
               (former ? " SET default_transaction_read_only = " + pg::QuoteLiteral(*former)
                       : " RESET default_transaction_read_only"));
  }
  return script.sql();
}

}  // namespace

std::vector<RoleBeyondReach> RolesBeyondReach(pg::Connection& side, const FenceOptions& options) {
  const auto rows = side.Exec(kRolesSql, {NameArray(options.leave_roles)});
  std::vector<RoleBeyondReach> roles;
  for (int i = 0; i < rows.rows(); ++i) {
    if (!rows.IsNull(i, 1)) roles.push_back({.name = rows.String(i, 0), .fix = rows.String(i, 1)});
  }
  return roles;
}

void LockFences(pg::Connection& side) {
  side.Exec("LOCK TABLE pgteal.fence IN SHARE ROW EXCLUSIVE MODE");
}

void CloseDatabase(pg::Connection& side, const FenceOptions& options) {
  LockFences(side);
  const std::string database = Database(side);
  const std::string leave = NameArray(options.leave_roles);
  const auto roles = side.Exec(kRolesSql, {leave});
  const auto closed = side.Exec(kClosedRolesSql, {leave, options.deployment});
  const auto defaults = side.Exec(kDefaultsSql, {leave, options.deployment});
  Script script(options.deployment);
  bool has_default = false;
  for (int i = 0; i < defaults.rows(); ++i) {
    const std::string kind = defaults.String(i, 0);
    has_default |= kind == "database";
    script.Remember(kind, defaults.String(i, 1), defaults.Optional(i, 2));
    script.Add(AlterSubject(kind, defaults.String(i, 1), database) +
               " SET default_transaction_read_only = on");
  }
  if (!has_default) {
    script.Remember("database", "", std::nullopt);
    script.Add(AlterSubject("database", "", database) + " SET default_transaction_read_only = on");
  }
  for (int i = 0; i < roles.rows(); ++i) {
    script.Remember("login", roles.String(i, 0), std::nullopt);
    script.Add(fmt::format("ALTER ROLE {} NOLOGIN", pg::QuoteIdentifier(roles.Text(i, 0))));
  }
  for (int i = 0; i < closed.rows(); ++i) {
    script.Remember("login", closed.String(i, 0), std::nullopt);
  }
  side.Exec(script.sql());
}

std::string OpeningScript(pg::Connection& side, const std::string& deployment) {
  return PuttingBack(side, deployment, kOursAlone);
}

void OpenDatabase(pg::Connection& side, const std::string& deployment) {
  LockFences(side);
  side.Exec(OpeningScript(side, deployment) +
            "DELETE FROM pgteal.fence WHERE deployment = " + pg::QuoteLiteral(deployment));
}

void OpenForAll(pg::Connection& side, const std::string& deployment) {
  LockFences(side);
  const auto closed = side.Exec(kClosedByAttemptSql, {deployment});
  if (!closed.is_empty()) {
    throw pg::Refused(fmt::format("a switchover of deployment {} has just closed {}",
                                  closed.Text(0, 0), side.description()),
                      "Wait until it is through; `pgteal status` of that deployment undoes what a "
                      "dead tool left.");
  }
  side.Exec(PuttingBack(side, deployment, kAnyones) + "DELETE FROM pgteal.fence");
}

bool IsClosed(pg::Connection& side, const std::string& deployment) {
  return !side.Exec("SELECT FROM pgteal.fence WHERE deployment = $1 LIMIT 1", {deployment})
              .is_empty();
}

ForeignSessions FindForeignSessions(pg::Connection& side, const FenceOptions& options) {
  const auto row = side.Exec(
      fmt::format("SELECT count(*), (SELECT string_agg(x.name, ', ') FROM (SELECT DISTINCT"
                  " coalesce(usename, backend_type) || ' (' || application_name || ')' {}"
                  " LIMIT 5) AS x(name)) {}",
                  kForeignSql, kForeignSql),
      {NameArray(options.leave_roles)});
  return {.count = static_cast<size_t>(row.Int(0, 0)), .names = row.String(0, 1)};
}

void EndForeignSessions(pg::Connection& side, const FenceOptions& options,
                        const std::string& before) {
  const std::string whom =
      kForeignSql +
      (before.empty() ? std::string() : " AND backend_start < " + pg::QuoteLiteral(before));
  const std::string end_all = "SELECT count(pg_terminate_backend(pid)) " + whom;
  Doorbell never;
  while (side.Exec(end_all, {NameArray(options.leave_roles)}).Int(0, 0) > 0) {
    never.Wait(Clock::now() + kEndLook);
  }
}

}  // namespace pgteal::pipeline
