#include "pipeline/verify_catalog.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kColumnsSql = R"(
WITH RECURSIVE base AS (
  SELECT oid AS type, oid AS base, typtype, typbasetype FROM pg_catalog.pg_type
  UNION ALL
  SELECT base.type, t.oid, t.typtype, t.typbasetype
    FROM base JOIN pg_catalog.pg_type AS t ON base.typtype = 'd' AND t.oid = base.typbasetype)
SELECT n.nspname, c.relname, a.attname, b.base, tn.nspname || '.' || t.typname, t.typtype,
       t.typcategory, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',
       pg_get_expr(d.adbin, d.adrelid), a.attnotnull
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN base AS b ON b.type = a.atttypid AND b.typtype <> 'd'
  JOIN pg_catalog.pg_type AS t ON t.oid = b.base
  JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
 ORDER BY 1, 2, a.attnum)";

// A snapshot sees committed states only, so a deferrable constraint holds there, too.
constexpr const char* kKeysSql = R"(
SELECT n.nspname, c.relname, a.attname
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT i.indkey, i.indnkeyatts FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND i.indexprs IS NULL AND NOT EXISTS (
              SELECT 1 FROM pg_catalog.pg_attribute AS x WHERE x.attrelid = c.oid
                 AND NOT x.attnotnull AND x.attnum = ANY (i.indkey))
        ORDER BY i.indisreplident DESC, i.indisprimary DESC, i.indnkeyatts, i.indexrelid
        LIMIT 1) AS i
 CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS place
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[place]
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
 ORDER BY 1, 2, place)";

// One row for each table that holds rows itself. pg_relation_size() is of now, not of the snapshot:
// that decides the size of the pieces only.
constexpr const char* kUnitsSql = R"(
WITH RECURSIVE tree(root, oid) AS (
  SELECT c.oid, c.oid FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
     AND n.nspname NOT IN ('information_schema', 'pgteal')
  UNION ALL
  SELECT tree.root, i.inhrelid FROM tree
    JOIN pg_catalog.pg_class AS p ON p.oid = tree.oid AND p.relkind = 'p'
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid AND NOT i.inhdetachpending)
SELECT rn.nspname, r.relname, r.relkind = 'p', quote_ident(n.nspname) || '.' ||
       quote_ident(c.relname), c.oid, c.relfilenode, coalesce(pg_relation_size(c.oid), 0)
       / current_setting('block_size')::bigint, coalesce(pg_table_size(c.oid), 0),
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
       AND c.relkind = 'r'
  FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid AND c.relkind <> 'p'
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class AS r ON r.oid = tree.root
  JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
 ORDER BY 1, 2, 4)";

CatalogColumn ReadColumn(const pg::Result& rows, int row) {
  return {.name = rows.String(row, 2),
          .base_type = static_cast<uint32_t>(rows.Int(row, 3)),
          .base_name = rows.String(row, 4),
          .kind = rows.Text(row, 5).front(),
          .category = rows.Text(row, 6).front(),
          .type = rows.String(row, 7),
          .is_generated = rows.Bool(row, 8),
          .expression = rows.String(row, 9),
          .is_not_null = rows.Bool(row, 10)};
}

// A partitioned table is read leaf by leaf, unless we may read it only as a whole.
void AddUnit(const pg::Result& rows, int row, CatalogTable* table) {
  table->is_partitioned = rows.Bool(row, 2);
  const bool may_read_leaf = rows.Bool(row, 8) || !table->is_partitioned;
  const std::pair<uint32_t, uint32_t> filenode(static_cast<uint32_t>(rows.Int(row, 4)),
                                               static_cast<uint32_t>(rows.Int(row, 5)));
  VerifyUnit unit{.qualified = rows.String(row, 3),
                  .is_plain = true,
                  .pages = static_cast<uint64_t>(rows.Int(row, 6)),
                  .bytes = static_cast<uint64_t>(rows.Int(row, 7)),
                  .filenodes = {filenode}};
  auto& units = table->units;
  const bool is_whole = !units.empty() && !units.front().is_plain;
  if (may_read_leaf && !is_whole) {
    units.push_back(std::move(unit));
    return;
  }
  VerifyUnit whole{.qualified = "", .is_plain = false, .pages = 0, .bytes = 0, .filenodes = {}};
  units.push_back(std::move(unit));
  for (auto& part : units) {
    whole.bytes += part.bytes;
    whole.filenodes.insert(whole.filenodes.end(), part.filenodes.begin(), part.filenodes.end());
  }
  units = {std::move(whole)};
}

}  // namespace

std::map<TableKey, CatalogTable> ReadCatalog(pg::Connection& connection) {
  std::map<TableKey, CatalogTable> tables;
  const auto units = connection.Exec(kUnitsSql);
  for (int i = 0; i < units.rows(); ++i) {
    AddUnit(units, i, &tables[{units.String(i, 0), units.String(i, 1)}]);
  }
  const auto columns = connection.Exec(kColumnsSql);
  for (int i = 0; i < columns.rows(); ++i) {
    tables[{columns.String(i, 0), columns.String(i, 1)}].columns.push_back(ReadColumn(columns, i));
  }
  const auto keys = connection.Exec(kKeysSql);
  for (int i = 0; i < keys.rows(); ++i) {
    const auto table = tables.find({keys.String(i, 0), keys.String(i, 1)});
    if (table != tables.end()) table->second.key.push_back(keys.String(i, 2));
  }
  return tables;
}

}  // namespace pgteal::pipeline
