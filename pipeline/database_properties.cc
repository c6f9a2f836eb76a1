#include "pipeline/database_properties.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kReadOnly = "default_transaction_read_only";

constexpr const char* kSettingsSql = R"(
SELECT coalesce(r.rolname, ''), split_part(c.setting, '=', 1),
       substr(c.setting, strpos(c.setting, '=') + 1)
  FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)
  LEFT JOIN pg_roles AS r ON r.oid = s.setrole
 WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY 1, 2)";

// Without the owner's own.
constexpr const char* kPrivilegesSql = R"(
SELECT coalesce(r.rolname, ''), a.privilege_type, a.is_grantable
  FROM pg_database AS d CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
  LEFT JOIN pg_roles AS r ON r.oid = a.grantee
 WHERE d.datname = current_database() AND a.grantee <> d.datdba
   AND (a.grantee = 0 OR r.oid IS NOT NULL) ORDER BY 1, 2)";

constexpr const char* kOwnerSql =
    "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
constexpr const char* kCommentSql =
    "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
    " WHERE datname = current_database()";

struct Privilege {
  std::string role;  // empty: PUBLIC
  std::string kind;
  bool is_grantable;
  auto operator<=>(const Privilege&) const = default;

  std::string Subject() const { return role.empty() ? "PUBLIC" : pg::QuoteIdentifier(role); }
};

std::set<Privilege> ReadPrivileges(pg::Connection& side) {
  std::set<Privilege> privileges;
  const auto rows = side.Exec(kPrivilegesSql);
  for (int i = 0; i < rows.rows(); ++i) {
    privileges.insert(
        {.role = rows.String(i, 0), .kind = rows.String(i, 1), .is_grantable = rows.Bool(i, 2)});
  }
  return privileges;
}

// Settings that are lists of names: the catalog quotes each name, SET wants each as a literal.
bool IsNameList(std::string_view setting) {
  constexpr std::array<std::string_view, 6> kLists = {
      "local_preload_libraries",  "search_path",      "session_preload_libraries",
      "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"};
  return std::find(kLists.begin(), kLists.end(), setting) != kLists.end();
}

// Green's database, one property after the other.
class Carrier {
 public:
  explicit Carrier(pg::Connection& green)
      : green_(green),
        database_(pg::QuoteIdentifier(green.Exec("SELECT current_database()").Text(0, 0))) {}

  void Settings(pg::Connection& blue) {
    const auto rows = blue.Exec(kSettingsSql);
    for (int i = 0; i < rows.rows(); ++i) {
      const std::string role = rows.String(i, 0);
      const std::string name = rows.String(i, 1);
      const std::string subject =
          role.empty() ? "ALTER DATABASE " + database_
                       : "ALTER ROLE " + pg::QuoteIdentifier(role) + " IN DATABASE " + database_;
      const std::string what = subject + " SET " + pg::QuoteIdentifier(name);
      if (name == kReadOnly) {
        spdlog::warn("not copied: {}: it keeps green closed until the switchover", what);
      } else {
        Execute(what + " TO " + SettingValueSql(name, rows.String(i, 2)), what);
      }
    }
  }

  void Comment(pg::Connection& blue) {
    const auto row = blue.Exec(kCommentSql);
    const std::string what = "COMMENT ON DATABASE " + database_;
    if (!row.IsNull(0, 0)) Execute(what + " IS " + pg::QuoteLiteral(row.Text(0, 0)), what);
  }

  void Privileges(pg::Connection& blue) {
    const auto wanted = ReadPrivileges(blue);
    const auto there = ReadPrivileges(green_);
    for (const auto& one : there) {
      if (!one.role.empty() || wanted.contains(one)) continue;
      const std::string sql =
          fmt::format("REVOKE {} ON DATABASE {} FROM PUBLIC", one.kind, database_);
      Execute(sql, sql);
    }
    for (const auto& one : wanted) {
      if (there.contains(one)) continue;
      const std::string sql =
          fmt::format("GRANT {} ON DATABASE {} TO {}{}", one.kind, database_, one.Subject(),
                      one.is_grantable ? " WITH GRANT OPTION" : "");
      Execute(sql, sql);
    }
  }

  void TellOwner(pg::Connection& blue) {
    const std::string owner = blue.Exec(kOwnerSql).String(0, 0);
    if (owner == green_.Exec(kOwnerSql).String(0, 0)) return;
    spdlog::warn("not copied: ALTER DATABASE {} OWNER TO {}", database_,
                 pg::QuoteIdentifier(owner));
  }

 private:
  // A value may be a secret: `what` goes to the log.
  void Execute(const std::string& sql, const std::string& what) {
    try {
      green_.Exec(sql);
    } catch (const pg::ServerError& error) {
      if (green_.is_broken()) throw;
      spdlog::warn("not copied: {}: {}", what, error.what());
    }
  }

  pg::Connection& green_;
  const std::string database_;
};

}  // namespace

std::string SettingValueSql(const std::string& name, const std::string& value) {
  if (!IsNameList(name)) return pg::QuoteLiteral(value);
  std::string sql;
  const auto add = [&sql](const std::string& element) {
    sql += (sql.empty() ? "" : ", ") + pg::QuoteLiteral(element);
  };
  std::string element;
  bool is_quoted = false;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '"' && is_quoted && i + 1 < value.size() && value[i + 1] == '"') {
      element += value[++i];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      add(element);
      element.clear();
    } else if (c != ' ' || is_quoted) {
      element += c;
    }
  }
  add(element);
  return sql;
}

void CarryDatabaseProperties(pg::Connection& blue, pg::Connection& green,
                             const DumpOptions& options) {
  Carrier carrier(green);
  carrier.Settings(blue);
  carrier.Comment(blue);
  if (!options.no_privileges) carrier.Privileges(blue);
  if (!options.no_owner) carrier.TellOwner(blue);
}

}  // namespace pgteal::pipeline
