#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

constexpr const char* kCaseSql = R"(
SELECT string_agg(t.name, ', ' ORDER BY t.name), NULL FROM tables AS t
 GROUP BY t.nspname, lower(t.relname) HAVING count(*) > 1 ORDER BY 1)";

constexpr const char* kEventTriggerSql = R"(
SELECT format('%I on %s fires %s', evtname, evtevent,
              CASE WHEN evtenabled = 'O' THEN 'for applications' ELSE 'for pgteal''s sessions too'
              END),
       format('ALTER EVENT TRIGGER %I ENABLE;', evtname),
       CASE WHEN evtenabled = 'O' THEN 'info' END
  FROM pg_event_trigger WHERE evtenabled <> 'D' AND evtname !~ '^pgteal_' ORDER BY 1)";

constexpr const char* kInvalidSql = R"(
SELECT 'index ' || r.name || ' is invalid', 'REINDEX INDEX CONCURRENTLY ' || r.name || ';'
  FROM relations AS r JOIN pg_index AS i ON i.indexrelid = r.oid
 WHERE NOT i.indisvalid AND r.relkind = 'i'
UNION ALL
SELECT format('index %s on table %s lacks an index of a partition', r.name, i.indrelid::regclass),
       NULL
  FROM relations AS r JOIN pg_index AS i ON i.indexrelid = r.oid
 WHERE NOT i.indisvalid AND r.relkind = 'I'
UNION ALL
SELECT format('constraint %I of %s is not validated', k.conname, t.name),
       format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', t.name, k.conname)
  FROM tables AS t JOIN pg_constraint AS k ON k.conrelid = t.oid
 WHERE NOT k.convalidated AND coalesce((to_jsonb(k)->>'conenforced')::bool, true)
 ORDER BY 1)";

const std::vector<Check> kBlueChecks = {
    {.id = "D1",
     .side = kBlue,
     .levels = {kFatal, kFatal, kFatal},
     .title = "every published table has a usable replica identity",
     .advice = "Without one blue's own UPDATE and DELETE fail once the table is published, or do "
               "not say which row they mean. run --set-replica-identity sets them.",
     .sql = R"(
, published AS MATERIALIZED (
  SELECT c.oid, to_jsonb(p)->'attnames' AS columns
    FROM pg_publication_tables AS p JOIN pg_namespace AS n ON n.nspname = p.schemaname
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
   WHERE p.pubname = @name@)
SELECT t.name, CASE WHEN x.name IS NOT NULL OR t.full_works THEN
         format('ALTER TABLE %s REPLICA IDENTITY %s;', t.name, coalesce('USING INDEX ' || x.name,
                'FULL'))
       WHEN EXISTS (SELECT FROM pg_publication WHERE pubname = @name@) THEN
         format('ALTER PUBLICATION %I SET (publish_generated_columns = stored);', @name@::text)
       ELSE format('CREATE PUBLICATION %I FOR ALL TABLES'
                   ' WITH (publish_generated_columns = stored);', @name@::text) END
  FROM (SELECT t.*, g.hidden,
               g.hidden = '{}' OR current_setting('server_version_num')::int < 180000 AS full_works
          FROM tables AS t CROSS JOIN LATERAL (
               SELECT coalesce(array_agg(a.attnum), '{}') FROM pg_attribute AS a
                WHERE a.attrelid = t.oid AND a.attgenerated <> '' AND NOT a.attisdropped
                  AND NOT EXISTS (SELECT FROM published AS p WHERE p.columns ? a.attname
                        AND (p.oid = t.oid OR p.oid IN (SELECT relid
                                                          FROM pg_partition_ancestors(t.oid)))))
               AS g(hidden)) AS t
  LEFT JOIN LATERAL (
       SELECT quote_ident(xc.relname) AS name FROM pg_index AS x
         JOIN pg_class AS xc ON xc.oid = x.indexrelid WHERE x.indrelid = t.oid
          AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL
          AND x.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_attribute AS a
            WHERE a.attrelid = t.oid AND (NOT a.attnotnull OR a.attnum = ANY (t.hidden))
              AND a.attnum = ANY (x.indkey))
        ORDER BY x.indnkeyatts, xc.relname LIMIT 1) AS x ON true
 WHERE t.relkind = 'r' AND t.relpersistence = 'p'
   AND CASE t.relreplident WHEN 'f' THEN NOT t.full_works
       ELSE NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indisvalid
         AND i.indimmediate AND CASE t.relreplident WHEN 'd' THEN i.indisprimary
                                WHEN 'i' THEN i.indisreplident ELSE false END
         AND NOT (i.indkey::int2[])[0:i.indnkeyatts - 1] && t.hidden) END
   AND (NOT EXISTS (SELECT FROM pg_publication WHERE pubname = @name@)
        OR EXISTS (SELECT FROM pg_publication WHERE pubname = @name@ AND puballtables)
        OR t.oid IN (SELECT oid FROM published)
        OR EXISTS (SELECT FROM pg_partition_ancestors(t.oid) AS a
                    WHERE a.relid IN (SELECT oid FROM published)))
 ORDER BY 1)"},
    {.id = "D3",
     .side = kBlue,
     .levels = {kWarn, kWarn},
     .title = "no table with many rows has REPLICA IDENTITY FULL",
     .advice = "Every change of such a table looks for its row on green without a key.",
     .sql = R"(
SELECT format('%s (about %s rows)', t.name, t.reltuples::bigint), NULL,
       CASE WHEN t.reltuples < 10000 THEN 'info' END
  FROM tables AS t WHERE t.relkind = 'r' AND t.relreplident = 'f' ORDER BY t.reltuples DESC)"},
    {.id = "D4",
     .side = kBlue,
     .levels = {kWarn, kWarn, kWarn},
     .title = "every table's rows are in the stream",
     .sql = R"(
SELECT CASE r.relkind WHEN 'f' THEN 'foreign table ' || r.name || ': its rows live elsewhere'
       ELSE 'unlogged table ' || r.name || ': created empty on green' END,
       CASE r.relkind WHEN 'r' THEN format('ALTER TABLE %s SET LOGGED;', r.name)
         || CASE WHEN @before@ THEN '' ELSE format(' -- then run --reload-table %s.%s, which brings'
              ' the rows that it has', r.nspname, r.relname) END END
  FROM relations AS r WHERE r.relkind = 'f' OR (r.relkind = 'r' AND r.relpersistence = 'u')
 ORDER BY 1)"},
    {.id = "D6",
     .side = kBlue,
     .levels = {kInfo},
     .title = "columns that green computes itself",
     .sql = R"(
SELECT format('%s.%I %s', t.name, a.attname, CASE WHEN a.attgenerated <> '' THEN 'is generated'
              ELSE 'is GENERATED ALWAYS AS IDENTITY' END), NULL
  FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0
 WHERE NOT a.attisdropped AND (a.attgenerated <> '' OR a.attidentity = 'a') ORDER BY 1)"},
    {.id = "D7",
     .side = kBlue,
     .levels = {kInfo},
     .title = "tables with a second unique index or an exclusion constraint (applied in order)",
     .sql = R"(
SELECT t.name, NULL FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid
 WHERE (i.indisunique AND NOT i.indisprimary) OR i.indisexclusion GROUP BY 1 ORDER BY 1)"},
    {.id = "D8", .side = kBlue, .levels = {kInfo}, .title = "deferrable constraints", .sql = R"(
SELECT format('%I of %s', k.conname, t.name), NULL FROM tables AS t
  JOIN pg_constraint AS k ON k.conrelid = t.oid WHERE k.condeferrable ORDER BY 1)"},
    {.id = "D14",
     .side = kBlue,
     .levels = {kInfo},
     .title = "columns of an extension's type: the same version belongs on green",
     .sql = R"(
SELECT format('%s.%I is %s of %I', t.name, a.attname, format_type(a.atttypid, a.atttypmod),
              e.extname), NULL
  FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0
  JOIN pg_depend AS d ON d.classid = 'pg_type'::regclass AND d.objid = a.atttypid
   AND d.deptype = 'e' JOIN pg_extension AS e ON e.oid = d.refobjid
 WHERE NOT a.attisdropped ORDER BY 1)"},
    {.id = "D15",
     .side = kBlue,
     .levels = {kInfo},
     .title = "no value comes near 1 GB as text (a bytea of 500 MB does)",
     .sql = R"(
SELECT format('%s holds %s of wide values', t.name,
              pg_size_pretty(pg_total_relation_size(t.reltoastrelid))), NULL
  FROM tables AS t WHERE t.reltoastrelid <> 0
   AND pg_total_relation_size(t.reltoastrelid) > 536870912
   AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND NOT a.attisdropped
                AND a.atttypid = 'bytea'::regtype)
 ORDER BY pg_total_relation_size(t.reltoastrelid) DESC)"},
    {.id = "D16",
     .side = kBlue,
     .levels = {kInfo},
     .title = "no primary key has a column of a wide type",
     .sql = R"(
SELECT format('%s.%I is %s', t.name, a.attname, format_type(a.atttypid, a.atttypmod)), NULL
  FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisprimary
  JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
 WHERE a.atttypid IN ('text'::regtype, 'bytea'::regtype, 'jsonb'::regtype) ORDER BY 1)"},
};

const std::vector<Check> kGreenChecks = {
    {.id = "D9",
     .side = kGreen,
     .levels = {kWarn, kWarn, kWarn},
     .title = "no trigger or rule on green fires while changes are applied",
     .advice = "Their tables are applied change by change; what they write may be there twice.",
     .sql = R"(
SELECT format('trigger %I of %s is ENABLE %s', g.tgname, t.name,
              CASE g.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END),
       format('ALTER TABLE %s ENABLE TRIGGER %I;', t.name, g.tgname)
  FROM tables AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid
 WHERE NOT g.tgisinternal AND g.tgenabled IN ('A', 'R')
UNION ALL
SELECT format('rule %I of %s is ENABLE %s', w.rulename, t.name,
              CASE w.ev_enabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END),
       format('ALTER TABLE %s ENABLE RULE %I;', t.name, w.rulename)
  FROM tables AS t JOIN pg_rewrite AS w ON w.ev_class = t.oid
 WHERE w.ev_enabled IN ('A', 'R') ORDER BY 1)"},
    {.id = "D11",
     .side = kGreen,
     .levels = {kWarn},
     .title = "green's tables have no secondary indexes yet",
     .advice = "The copy is faster if they are built after it.",
     .sql = R"(
SELECT r.name, format('DROP INDEX %s; -- afterwards: %s', r.name, pg_get_indexdef(r.oid))
  FROM relations AS r JOIN pg_index AS i ON i.indexrelid = r.oid
 WHERE NOT i.indisprimary AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = r.oid)
   AND i.indrelid IN (SELECT oid FROM tables) ORDER BY 1)",
     .copy = CheckCopy::kData},
    {.id = "D12",
     .side = kGreen,
     .levels = {kFatal},
     .title = "green is empty",
     .advice = "Point --target at an empty database, or use --copy data or none.",
     .sql = "SELECT r.name, NULL FROM relations AS r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f',"
            " 'S') ORDER BY 1",
     .copy = CheckCopy::kAll},
    {.id = "D12",
     .side = kPair,
     .levels = {kFatal},
     .title = "green's tables that are copied are empty",
     .advice = "Or use --copy none, if green holds blue's rows already, or leave tables out with "
               "--exclude-table.",
     .code = CheckEmptyTables,
     .copy = CheckCopy::kData},
};

}  // namespace

CheckArea TableChecks() {
  CheckArea area{"Tables", kBlueChecks};
  area.checks.insert(area.checks.end(), kGreenChecks.begin(), kGreenChecks.end());
  for (const auto side : {kBlue, kGreen}) {
    const std::vector<Check> both = {
        {.id = "D10",
         .side = side,
         .levels = {kWarn, kWarn},
         .title = "no event trigger fires for pgteal's sessions",
         .sql = kEventTriggerSql},
        {.id = "D13",
         .side = side,
         .levels = {kWarn},
         .title = "no two tables have names that differ in case only",
         .sql = kCaseSql},
        {.id = "G16",
         .side = side,
         .levels = {kWarn, kWarn, kWarn},
         .title = "every index is valid and every constraint validated",
         .sql = kInvalidSql},
    };
    area.checks.insert(area.checks.end(), both.begin(), both.end());
  }
  return area;
}

}  // namespace pgteal::tools
