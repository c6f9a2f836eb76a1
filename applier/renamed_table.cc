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

}  // namespace

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

}  // namespace pgteal::applier
