#include "pipeline/following_tables.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kTablesSql = R"(
SELECT n.nspname, c.relname, c.oid, c.relkind = 'p',
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
         AND NOT row_security_active(c.oid)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname || '.' || c.relname = ANY ($1::text[]))";

}  // namespace

std::map<TableKey, FollowingTable> FindFollowing(pg::Connection& green,
                                                 const std::set<TableKey>& keys) {
  std::map<TableKey, FollowingTable> found;
  if (keys.empty()) return found;
  std::vector<std::string> names;
  for (const auto& [schema, name] : keys) names.push_back(schema + "." + name);
  const auto rows = green.Exec(kTablesSql, {pg::ArrayLiteral(names)});
  for (int i = 0; i < rows.rows(); ++i) {
    const TableKey key{rows.String(i, 0), rows.String(i, 1)};
    if (!keys.contains(key)) continue;  // without quotes two names may be the same
    found[key] = {.oid = rows.String(i, 2),
                  .is_partitioned = rows.Bool(i, 3),
                  .may_be_read = rows.Bool(i, 4)};
  }
  return found;
}

std::map<TableKey, FollowingTable> FindFollowing(pg::Connection& green,
                                                 const Membership& membership) {
  std::set<TableKey> keys;
  for (const auto& [oid, table] : membership.tables) keys.insert(table.key);
  return FindFollowing(green, keys);
}

bool HasRows(pg::Connection& green, const TableKey& key, const FollowingTable& table) {
  return green
      .Exec(fmt::format("SELECT EXISTS (SELECT FROM {}{})", table.is_partitioned ? "" : "ONLY ",
                        pg::QuoteQualified(key.first, key.second)))
      .Bool(0, 0);
}

}  // namespace pgteal::pipeline
