#include "pipeline/membership.h"

#include <fmt/format.h>

namespace pgteal::pipeline {
namespace {

// $1: the publication.
constexpr const char* kContainersSql = R"(
WITH RECURSIVE p AS (SELECT oid, puballtables FROM pg_publication WHERE pubname = $1),
containers AS (SELECT 'a' || p.oid AS token, NULL::oid AS schema FROM p WHERE p.puballtables{}))";
// Since version 15.
constexpr const char* kSchemasSql =
    " UNION ALL SELECT 'n' || m.oid, m.pnnspid FROM p JOIN pg_publication_namespace AS m"
    " ON m.pnpubid = p.oid";

// A row for each way of a table, and one for a partitioned table that has none. The row that makes
// a table a partition, and the one that ties it to its schema, are made anew when it comes back:
// their xmin, which freezing leaves as it is, tells. With all tables every partition is in by
// itself.
constexpr const char* kWaysSql = R"(,
tables AS (
  SELECT c.oid, n.nspname, c.relname, c.relnamespace, c.relkind = 'p' AS is_partitioned,
         i.inhparent AS parent, i.xmin AS attached
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_inherits AS i ON c.relispartition AND i.inhrelid = c.oid AND NOT i.inhdetachpending
   WHERE (c.relkind = 'p' OR c.relkind = 'r' AND c.relpersistence = 'p') AND c.oid >= 16384
     AND n.nspname <> 'pgteal'
     AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')),
direct AS (
  SELECT r.prrelid AS top, 'r' || r.oid AS token, NULL AS container
    FROM p JOIN pg_publication_rel AS r ON r.prpubid = p.oid
  UNION ALL
  SELECT t.oid, c.token || coalesce('/' || d.xmin, ''), c.token
    FROM containers AS c JOIN tables AS t ON t.relnamespace = coalesce(c.schema, t.relnamespace)
    LEFT JOIN pg_depend AS d ON c.schema IS NOT NULL AND d.classid = 'pg_class'::regclass
     AND d.objid = t.oid AND d.objsubid = 0 AND d.refclassid = 'pg_namespace'::regclass),
lineage AS (
  SELECT oid, oid AS top, parent, attached, '' AS path FROM tables
  UNION ALL
  SELECT l.oid, t.oid, t.parent, t.attached, l.path || ':' || t.oid || '/' || l.attached
    FROM lineage AS l JOIN tables AS t ON t.oid = l.parent),
ways AS (
  SELECT l.oid, d.token || l.path || ' ' || l.oid AS way, d.top, d.token || ' ' || d.top AS top_way,
         d.container
    FROM lineage AS l JOIN direct AS d ON d.top = l.top
   WHERE d.top = l.oid OR left(d.token, 1) <> 'a')
SELECT t.oid, t.nspname, t.relname, t.is_partitioned, t.parent, w.way, w.top, w.top_way, w.container
  FROM tables AS t LEFT JOIN ways AS w ON w.oid = t.oid AND (w.top = t.oid OR NOT t.is_partitioned)
 WHERE w.oid IS NOT NULL OR t.is_partitioned)";

// What a column's row is when its table is made as a partition. ATTACH writes each once more, as
// does a default at once.
constexpr const char* kBornSql = R"(EXISTS (
         SELECT FROM pg_inherits AS i JOIN pg_attribute AS a ON a.attrelid = i.inhrelid
           LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
          WHERE i.inhrelid = c.oid AND i.xmin = first.xmin AND a.attnum > 0 AND a.attinhcount > 0
            AND a.xmin = first.xmin AND a.xmax = 0 AND a.cmin::text::bigint < i.cmin::text::bigint
            AND a.cmin IN (first.cmin, f.cmin) AND coalesce(f.xmin = first.xmin, true)))";

// $1: tables. The row of a system column is written once, when the table is made. A vacuum that
// made a table empty has counted its rows. The size opens the table, and the start of a stream does
// not wait for whoever rewrites it: while it is locked, or about to be, it counts as not empty.
constexpr const char* kOriginsSql = R"(
SELECT c.oid,
       CASE WHEN c.oid IN (SELECT l.relation FROM pg_locks AS l
                            WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
                              AND l.database = (SELECT d.oid FROM pg_database AS d
                                                 WHERE d.datname = current_database()))
            THEN false ELSE coalesce(pg_relation_size(c.oid), 0) = 0 END,
       c.relfilenode IN (0, c.oid), c.reltuples < 0 AND c.relfilenode = c.oid,
       EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.objsubid = 0 AND d.refclassid = 'pg_namespace'::regclass
                  AND d.xmin = first.xmin AND d.cmin = first.cmin),
       {}
  FROM pg_class AS c
  JOIN pg_attribute AS first ON first.attrelid = c.oid AND first.attname = 'tableoid'
 WHERE c.oid = ANY ($1::oid[]))";

}  // namespace

Membership ReadMembership(pg::Connection& blue, const std::string& publication) {
  const std::string containers =
      fmt::format(kContainersSql, blue.server_version() >= 150000 ? kSchemasSql : "");
  const auto head =
      blue.Exec(containers +
                    " SELECT string_agg(token, ' ' ORDER BY token), (SELECT pubviaroot FROM"
                    " pg_publication WHERE pubname = $1) FROM containers",
                {publication});
  const auto rows = blue.Exec(containers + kWaysSql, {publication});
  Membership membership;
  membership.containers = head.String(0, 0);
  membership.is_via_root = !head.IsNull(0, 1) && head.Bool(0, 1);
  for (int i = 0; i < rows.rows(); ++i) {
    auto& table = membership.tables[rows.String(i, 0)];
    table.key = {rows.String(i, 1), rows.String(i, 2)};
    table.is_partitioned = rows.Bool(i, 3);
    table.parent = rows.String(i, 4);
    if (rows.IsNull(i, 5)) continue;
    table.ways.push_back({.text = rows.String(i, 5),
                          .top = rows.String(i, 6),
                          .top_text = rows.String(i, 7),
                          .container = rows.String(i, 8)});
  }
  return membership;
}

std::vector<Oid> Lineage(const Membership& membership, const Oid& table) {
  std::vector<Oid> lineage;
  for (auto at = membership.tables.find(table); at != membership.tables.end();
       at = membership.tables.find(at->second.parent)) {
    lineage.push_back(at->first);
  }
  return lineage;
}

Oid SentFor(const Membership& membership, const Oid& table) {
  Oid sent = table;
  for (const auto& one : Lineage(membership, table)) {
    if (membership.is_via_root && !membership.tables.at(one).ways.empty()) sent = one;
  }
  return sent;
}

std::set<TableKey> SentTables(const Membership& membership) {
  std::set<TableKey> sent;
  for (const auto& [oid, table] : membership.tables) {
    if (table.ways.empty() || (table.is_partitioned && !membership.is_via_root)) continue;
    if (SentFor(membership, oid) == oid) sent.insert(table.key);
  }
  return sent;
}

std::map<Oid, Origin> ReadOrigins(pg::Connection& blue, const std::set<Oid>& tables) {
  std::map<Oid, Origin> origins;
  if (tables.empty()) return origins;
  std::string list;
  for (const auto& table : tables) list += (list.empty() ? "" : ",") + table;
  const auto rows = blue.Exec(fmt::format(kOriginsSql, kBornSql), {"{" + list + "}"});
  for (int i = 0; i < rows.rows(); ++i) {
    origins[rows.String(i, 0)] = {.is_empty = rows.Bool(i, 1),
                                  .never_had_rows = rows.Bool(i, 1) && rows.Bool(i, 3),
                                  .has_first_storage = rows.Bool(i, 2),
                                  .has_first_schema = rows.Bool(i, 4),
                                  .was_made_as_partition = rows.Bool(i, 5)};
  }
  return origins;
}

}  // namespace pgteal::pipeline
