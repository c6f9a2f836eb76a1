#include "applier/renamed_table.h"

#include <fmt/format.h>

#include "pg/quote.h"

namespace pgteal::applier {
namespace {

// $1 deployment, $2 how its rows begin, $3 blue's oid.
constexpr const char* kFormerNameSql = R"(
SELECT n.nspname, c.relname
  FROM pgteal.schema_baseline AS b
  JOIN pg_catalog.pg_class AS c
       ON c.oid::pg_catalog.text = pg_catalog.split_part(b.definition, ' ', 4)
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE b.deployment = $1
   AND pg_catalog.starts_with(b.definition, pg_catalog.concat(
         $2::pg_catalog.text, 'pgteal.schema_baseline'::pg_catalog.regclass::pg_catalog.oid, ' ',
         $3::pg_catalog.text, ' ')))";

// $1 deployment, $2 how its rows begin.
constexpr const char* kHoldersSql = R"(
SELECT pg_catalog.split_part(b.definition, ' ', 4), pg_catalog.split_part(b.definition, ' ', 3)
  FROM pgteal.schema_baseline AS b
 WHERE b.deployment = $1
   AND pg_catalog.starts_with(b.definition, pg_catalog.concat(
         $2::pg_catalog.text, 'pgteal.schema_baseline'::pg_catalog.regclass::pg_catalog.oid,
         ' ')))";

}  // namespace

std::map<pg::Oid, pg::Oid> ReadHolders(pg::Connection& green, const std::string& deployment) {
  const auto rows = green.Exec(kHoldersSql, {deployment, std::string(kGreenTable)});
  std::map<pg::Oid, pg::Oid> holders;
  for (int i = 0; i < rows.rows(); ++i) {
    holders[{static_cast<uint32_t>(rows.Int(i, 0))}] = {static_cast<uint32_t>(rows.Int(i, 1))};
  }
  return holders;
}

bool KnowsGreenTables(pg::Connection& green) {
  return !green
              .Exec(
                  "SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                  " WHERE n.nspname = 'pgteal' AND c.relname = 'schema_baseline'"
                  " AND has_schema_privilege(n.oid, 'USAGE')"
                  " AND has_table_privilege(c.oid, 'SELECT')")
              .is_empty();
}

std::string RenameOnGreen(pg::Connection& green, const std::string& deployment, pg::Oid blue,
                          const std::string& schema, const std::string& name) {
  const auto row = green.Exec(kFormerNameSql,
                              {deployment, std::string(kGreenTable), std::to_string(blue.value)});
  if (row.is_empty()) return "";
  const std::string former_schema = row.String(0, 0);
  const std::string former_name = row.String(0, 1);
  std::string sql;
  if (former_schema != schema) {
    sql = fmt::format("ALTER TABLE {} SET SCHEMA {};",
                      pg::QuoteQualified(former_schema, former_name), pg::QuoteIdentifier(schema));
  }
  if (former_name != name) {
    sql += fmt::format("{}ALTER TABLE {} RENAME TO {};", sql.empty() ? "" : " ",
                       pg::QuoteQualified(schema, former_name), pg::QuoteIdentifier(name));
  }
  return sql;
}

pg::Refused HeldByAnother(pg::Connection& green, const std::string& deployment,
                          const SideNames& sides, const TableName& table, pg::Oid holder,
                          const TableName& holder_name) {
  const std::string name = table.first + "." + table.second;
  const std::string rename =
      RenameOnGreen(green, deployment, holder, holder_name.first, holder_name.second);
  return pg::Refused(
      sides.Format("table {} on green has the rows of another one, which blue calls {}.{} now",
                   name, holder_name.first, holder_name.second),
      sides.Format("Blue renamed that one, and gave its name to this one. On green: {}{}Then "
                   "create {} there, or give it that name, and start again: nothing is lost.",
                   rename, rename.empty() ? "" : " ", name));
}

}  // namespace pgteal::applier
