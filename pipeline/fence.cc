#include "pipeline/fence.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {
namespace {

// Between two looks at sessions that were told to end. The server's own wait looks every 100 ms.
constexpr std::chrono::milliseconds kEndLook{2};

// Of two transactions that change one role the second waits and then fails.
constexpr const char* kInternalError = "XX000";
constexpr int kRoleAttempts = 10;

// Roles that a fence of a database keeps out of it. A read-only default of a role in a database is
// in a catalog that all databases of the server see, takes no more rights than closing the role,
// and goes when the role or the database does. Nobody but us spells `on` like that.
constexpr const char* kKeptOut = "oN";
constexpr const char* kMarksSql = R"(
WITH marks AS (
  SELECT s.setrole AS role, d.datname AS database
    FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
   WHERE 'default_transaction_read_only=oN' = ANY (s.setconfig)))";

// $1: roles to leave alone. What has been closed by now for the sake of another database counts as
// well. A superuser may close everybody; CREATEROLE nobody above itself, and since version 16 only
// roles it administers. The second column is the SQL that is missing: NULL if nothing is, empty if
// only a superuser could.
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
 WHERE me.rolname = current_user
   AND (r.rolcanlogin OR EXISTS (SELECT FROM marks WHERE role = r.oid))
   AND r.rolname NOT IN (current_user, session_user) AND r.rolname <> ALL ($1::name[])
   AND has_database_privilege(r.oid, current_database(), 'CONNECT')
 ORDER BY 1)";

// What is to be closed: the database, the roles that could get in, and those that could not but
// have a default of their own, here or everywhere, if our role may alter them: nothing hangs on
// those. With what each is in this database now, and whether its login is to be closed, too. $1 as
// above, $2 the deployment. Roles that another deployment's fence has closed here were able to get
// in. What such a fence has set tells nothing of what was there before: it knows. A mark that no
// fence knows is left over.
constexpr const char* kClosingSql = R"(
, settings AS (
  SELECT s.setrole AS role, s.setdatabase <> 0 AS is_here, split_part(c.setting, '=', 2) AS value
    FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)
   WHERE starts_with(c.setting, 'default_transaction_read_only=') AND s.setdatabase IN
         (0, (SELECT oid FROM pg_database WHERE datname = current_database()))),
others AS (SELECT * FROM pgteal.fence WHERE deployment <> $2),
roles AS (
  SELECT r.oid, r.rolname,
         (has_database_privilege(r.oid, current_database(), 'CONNECT')
          AND (r.rolcanlogin OR EXISTS (SELECT FROM marks WHERE role = r.oid)))
         OR (NOT r.rolcanlogin
             AND EXISTS (SELECT FROM others WHERE kind = 'login' AND role = r.rolname)) AS gets_in,
         me.rolsuper OR (NOT r.rolsuper AND me.rolcreaterole
           AND (current_setting('server_version_num')::int < 160000
                OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION'))) AS is_in_reach
    FROM pg_roles AS r JOIN pg_roles AS me ON me.rolname = current_user
   WHERE r.rolname NOT IN (current_user, session_user) AND r.rolname <> ALL ($1::name[])),
subjects AS (
  SELECT 'database' AS kind, '' AS role, false AS gets_in,
         (SELECT value FROM settings WHERE role = 0 AND is_here) AS value
  UNION ALL
  SELECT 'role in database', r.rolname, r.gets_in,
         (SELECT value FROM settings WHERE role = r.oid AND is_here)
    FROM roles AS r
   WHERE r.gets_in OR (r.is_in_reach AND EXISTS (SELECT FROM settings WHERE role = r.oid)))
SELECT s.kind, s.role, CASE WHEN f.deployment IS NOT NULL THEN f.former
                            WHEN s.value <> 'oN' THEN s.value END, s.gets_in
  FROM subjects AS s
  LEFT JOIN LATERAL (SELECT deployment, former FROM others WHERE kind = s.kind AND role = s.role
                        AND s.value IN ('on', 'oN') LIMIT 1) AS f ON true
 ORDER BY 1, 2)";

// Marks of other databases on roles that can log in all the same: somebody has let them in by hand.
// $1 as above.
constexpr const char* kVoidMarksSql = R"(
SELECT string_agg(format('ALTER ROLE %I IN DATABASE %I SET default_transaction_read_only = on',
                         r.rolname, m.database), ';' ORDER BY r.rolname)
  FROM marks AS m JOIN pg_roles AS r ON r.oid = m.role
 WHERE m.database <> current_database() AND r.rolcanlogin
   AND r.rolname NOT IN (current_user, session_user) AND r.rolname <> ALL ($1::name[])
   AND has_database_privilege(r.oid, current_database(), 'CONNECT'))";

// What fences of this database have changed, once each, and the other databases for whose sake a
// role stays closed; {} says which, with $1 the deployment.
constexpr const char* kFencedSql = R"(
SELECT DISTINCT ON (f.kind, f.role) f.kind, f.role, f.former,
       CASE WHEN f.kind = 'login' AND NOT r.rolcanlogin THEN (
         SELECT string_agg(quote_ident(database), ' and database ' ORDER BY database)
           FROM marks WHERE role = r.oid AND database <> current_database()) END
  FROM pgteal.fence AS f LEFT JOIN pg_roles AS r ON r.rolname = f.role
 WHERE (f.role = '' OR r.rolname IS NOT NULL) AND {}
 ORDER BY f.kind, f.role, f.deployment <> $1)";
constexpr const char* kOursAlone =
    "f.deployment = $1 AND NOT EXISTS (SELECT FROM pgteal.fence AS other WHERE"
    " other.deployment <> $1 AND other.kind = f.kind AND other.role = f.role)";
constexpr const char* kAnyones = "$1::text IS NOT NULL";

// Changes nothing, but nobody else can change these roles before we commit: what is read afterwards
// of other databases' fences holds. {} as above.
constexpr const char* kHoldRolesSql =
    "SELECT string_agg(DISTINCT format('ALTER ROLE %I', r.rolname), ';')"
    " FROM pgteal.fence AS f JOIN pg_roles AS r ON r.rolname = f.role"
    " WHERE f.kind = 'login' AND {}";

constexpr const char* kKeptOutSql = R"(
SELECT r.rolname, string_agg(quote_ident(m.database), ' and database ' ORDER BY m.database)
  FROM marks AS m JOIN pg_roles AS r ON r.oid = m.role
 WHERE NOT r.rolcanlogin AND m.database <> current_database()
   AND has_database_privilege(r.oid, current_database(), 'CONNECT')
 GROUP BY 1 ORDER BY 1)";

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

// Only a superuser ends a superuser's session, or one without a role.
constexpr const char* kMayEndSql =
    "(SELECT coalesce(me.rolsuper OR (NOT r.rolsuper AND (pg_has_role(me.oid, r.oid, 'USAGE')"
    " OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))), false)"
    " FROM pg_roles AS me LEFT JOIN pg_roles AS r ON r.oid = usesysid"
    " WHERE me.rolname = current_user)";

std::string Database(pg::Connection& side) {
  return pg::QuoteIdentifier(side.Exec("SELECT current_database()").Text(0, 0));
}

std::string AlterSubject(const std::string& kind, const std::string& role,
                         const std::string& database) {
  if (kind == "database") return "ALTER DATABASE " + database;
  const std::string subject = "ALTER ROLE " + pg::QuoteIdentifier(role);
  return kind == "role in database" ? subject + " IN DATABASE " + database : subject;
}

// Roles are the same rows for all databases of a server: who has waited for another one's
// transaction looks again at what that one has done.
template <typename Body>
void ChangeRoles(pg::Connection& side, Body body) {
  side.Exec("SAVEPOINT roles");
  for (int attempt = 1;; ++attempt) {
    try {
      body();
      side.Exec("RELEASE SAVEPOINT roles");
      return;
    } catch (const pg::ServerError& error) {
      if (error.sqlstate() != kInternalError || attempt == kRoleAttempts) throw;
      side.Exec("ROLLBACK TO SAVEPOINT roles");
    }
  }
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

struct Opening {
  std::string sql;
  std::vector<RoleKeptOut> kept_out;
};

// The statements that undo what is to be found by `which`, a condition for kFencedSql.
Opening PuttingBack(pg::Connection& side, const std::string& deployment, const char* which) {
  const std::string database = Database(side);
  const auto rows = side.Exec(kMarksSql + fmt::format(kFencedSql, which), {deployment});
  Script script(deployment);
  Opening opening;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string kind = rows.String(i, 0);
    if (kind == "login" && rows.IsNull(i, 3)) {
      script.Add(fmt::format("ALTER ROLE {} LOGIN", pg::QuoteIdentifier(rows.Text(i, 1))));
    } else if (kind == "login") {
      opening.kept_out.push_back({.name = rows.String(i, 1), .databases = rows.String(i, 3)});
    } else {
      const auto former = rows.Optional(i, 2);
      script.Add(AlterSubject(kind, rows.String(i, 1), database) +
                 (former ? " SET default_transaction_read_only = " + pg::QuoteLiteral(*former)
                         : " RESET default_transaction_read_only"));
    }
  }
  opening.sql = script.sql();
  return opening;
}

void PutBack(pg::Connection& side, const std::string& deployment, const char* which,
             const std::string& forget) {
  Opening opening;
  ChangeRoles(side, [&] {
    const auto hold = side.Exec(fmt::format(kHoldRolesSql, which), {deployment});
    if (!hold.IsNull(0, 0)) side.Exec(hold.String(0, 0));
    opening = PuttingBack(side, deployment, which);
    side.Exec(opening.sql + forget);
  });
  for (const auto& role : opening.kept_out) {
    spdlog::warn("on {} {}", side.description(), Describe(role));
  }
}

// In one go: a fence that falls keeps everybody out from here on.
void Close(pg::Connection& side, const FenceOptions& options) {
  const std::string database = Database(side);
  const std::string leave = pg::ArrayLiteral(options.leave_roles);
  const auto subjects =
      side.Exec(std::string(kMarksSql) + kClosingSql, {leave, options.deployment});
  const auto void_marks = side.Exec(std::string(kMarksSql) + kVoidMarksSql, {leave});
  Script script(options.deployment);
  if (!void_marks.IsNull(0, 0)) script.Add(void_marks.String(0, 0));
  for (int i = 0; i < subjects.rows(); ++i) {
    const std::string kind = subjects.String(i, 0);
    const std::string role = subjects.String(i, 1);
    const bool gets_in = subjects.Bool(i, 3);
    script.Remember(kind, role, subjects.Optional(i, 2));
    script.Add(fmt::format("{} SET default_transaction_read_only = '{}'",
                           AlterSubject(kind, role, database), gets_in ? kKeptOut : "on"));
    if (!gets_in) continue;
    script.Remember("login", role, std::nullopt);
    script.Add(fmt::format("ALTER ROLE {} NOLOGIN", pg::QuoteIdentifier(role)));
  }
  side.Exec(script.sql());
}

}  // namespace

std::vector<RoleBeyondReach> RolesBeyondReach(pg::Connection& side, const FenceOptions& options) {
  const auto rows =
      side.Exec(std::string(kMarksSql) + kRolesSql, {pg::ArrayLiteral(options.leave_roles)});
  std::vector<RoleBeyondReach> roles;
  for (int i = 0; i < rows.rows(); ++i) {
    if (!rows.IsNull(i, 1)) roles.push_back({.name = rows.String(i, 0), .fix = rows.String(i, 1)});
  }
  return roles;
}

void LockFences(pg::Connection& side) {
  side.Exec("LOCK TABLE pgteal.fence IN SHARE ROW EXCLUSIVE MODE");
}

std::vector<RoleKeptOut> RolesKeptOut(pg::Connection& side) {
  const auto rows = side.Exec(std::string(kMarksSql) + kKeptOutSql);
  std::vector<RoleKeptOut> roles;
  for (int i = 0; i < rows.rows(); ++i) {
    roles.push_back({.name = rows.String(i, 0), .databases = rows.String(i, 1)});
  }
  return roles;
}

std::string Describe(const RoleKeptOut& role) {
  return fmt::format("role {} stays without LOGIN: it is kept out of database {}", role.name,
                     role.databases);
}

void CloseDatabase(pg::Connection& side, const FenceOptions& options) {
  LockFences(side);
  ChangeRoles(side, [&] { Close(side, options); });
}

std::string OpeningScript(pg::Connection& side, const std::string& deployment) {
  const auto opening = PuttingBack(side, deployment, kOursAlone);
  std::string sql = opening.sql;
  for (const auto& role : opening.kept_out) {
    sql += fmt::format("ALTER ROLE {} LOGIN /* kept out of database {}, too */;",
                       pg::QuoteIdentifier(role.name), role.databases);
  }
  return sql;
}

void OpenDatabase(pg::Connection& side, const std::string& deployment) {
  LockFences(side);
  PutBack(side, deployment, kOursAlone,
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
  PutBack(side, deployment, kAnyones, "DELETE FROM pgteal.fence");
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
      {pg::ArrayLiteral(options.leave_roles)});
  return {.count = static_cast<size_t>(row.Int(0, 0)), .names = row.String(0, 1)};
}

void EndForeignSessions(pg::Connection& side, const FenceOptions& options) {
  const std::string end_all = std::string("SELECT count(pg_terminate_backend(pid)) ") + kForeignSql;
  Doorbell never;
  while (side.Exec(end_all, {pg::ArrayLiteral(options.leave_roles)}).Int(0, 0) > 0) {
    never.Wait(Clock::now() + kEndLook);
  }
}

std::string ForeignSessionPids(pg::Connection& side, const FenceOptions& options) {
  return side
      .Exec(std::string("SELECT coalesce(array_agg(pid), '{}') ") + kForeignSql,
            {pg::ArrayLiteral(options.leave_roles)})
      .String(0, 0);
}

std::string EndForeignSessions(pg::Connection& side, const FenceOptions& options,
                               const std::string& pids) {
  const std::string now = side.Exec("SELECT clock_timestamp()").String(0, 0);
  const std::string theirs = std::string(kForeignSql) + " AND (pid = ANY ($2::int[])" +
                             " OR backend_start < " + pg::QuoteLiteral(now) + ") AND ";
  const std::vector<std::optional<std::string>> params = {pg::ArrayLiteral(options.leave_roles),
                                                          pids};
  const std::string end = "SELECT count(pg_terminate_backend(pid)) " + theirs + kMayEndSql;
  Doorbell never;
  while (side.Exec(end, params).Int(0, 0) > 0) never.Wait(Clock::now() + kEndLook);
  return side
      .Exec(
          "SELECT string_agg(DISTINCT format('process %s of %s', pid, coalesce(usename, "
          "backend_type)), ', ') " +
              theirs + "NOT " + kMayEndSql,
          params)
      .String(0, 0);
}

}  // namespace pgteal::pipeline
