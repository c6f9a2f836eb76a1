#include "pipeline/schema_catalog.h"

#include <string>

namespace pgteal::pipeline {

const char* const kUserObjects = R"(
WITH schemas AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
                  WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'pgteal')
                    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = pg_namespace.oid
                                     AND d.classid = 'pg_namespace'::regclass
                                     AND d.deptype = 'e')),
relations AS (SELECT c.*, quote_ident(s.nspname) || '.' || quote_ident(c.relname) AS name,
                     s.nspname
                FROM pg_class AS c JOIN schemas AS s ON s.oid = c.relnamespace
               WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid
                                  AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')),
tables AS (SELECT * FROM relations WHERE relkind IN ('r', 'p'))
)";

const std::vector<SchemaKind>& SchemaKinds() {
  static const std::vector<SchemaKind> kKinds = [] {
    auto kinds = RelationKinds();
    for (auto&& more : {ObjectKinds(), SettingKinds()}) {
      kinds.insert(kinds.end(), more.begin(), more.end());
    }
    return kinds;
  }();
  return kKinds;
}

Schema ReadSchema(pg::Connection& connection, SchemaWeight weight) {
  Schema schema;
  for (const auto& kind : SchemaKinds()) {
    if (kind.weight != weight) continue;
    const auto rows = connection.Exec(kUserObjects + kind.sql);
    auto& objects = schema[kind.name];
    for (int i = 0; i < rows.rows(); ++i) {
      objects.emplace(rows.String(i, 0), SchemaObject{.definition = rows.String(i, 1),
                                                      .detail = rows.String(i, 2),
                                                      .create_sql = rows.String(i, 3),
                                                      .change_sql = rows.String(i, 4),
                                                      .parent = rows.String(i, 5)});
    }
  }
  return schema;
}

// Since version 15.
constexpr const char* kPublishedSchemas = R"(
  UNION ALL SELECT 'published schema ' || count(*) || ' ' || sum(xmin::text::bigint)
    FROM pg_publication_namespace)";

// A changed catalog row has a new xmin, a dropped one is counted no more. Temporary objects come
// and go all the time and are left out, and so is what initdb has made (below FirstNormalObjectId):
// nothing that is compared, but most rows of a small database's catalogs.
std::string SchemaToken(pg::Connection& connection) {
  const std::string newer = connection.server_version() >= 150000 ? kPublishedSchemas : "";
  return connection
      .Exec(R"(
SELECT md5(string_agg(token, ' ' ORDER BY token)) FROM (
  SELECT 'class ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_class
   WHERE oid >= 16384 AND relpersistence <> 't'
  UNION ALL SELECT 'attribute ' || count(*) || ' ' || sum(a.xmin::text::bigint)
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
   WHERE a.attrelid >= 16384 AND c.relpersistence <> 't'
  UNION ALL SELECT 'default ' || count(*) || ' ' || sum(d.xmin::text::bigint)
    FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid WHERE c.relpersistence <> 't'
  UNION ALL SELECT 'index ' || count(*) || ' ' || sum(i.xmin::text::bigint)
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE c.relpersistence <> 't'
  UNION ALL SELECT 'constraint ' || count(*) || ' ' || sum(k.xmin::text::bigint)
    FROM pg_constraint AS k LEFT JOIN pg_class AS c ON c.oid = k.conrelid
   WHERE coalesce(c.relpersistence <> 't', true)
  UNION ALL SELECT 'type ' || count(*) || ' ' || sum(t.xmin::text::bigint)
    FROM pg_type AS t LEFT JOIN pg_namespace AS n ON n.oid = t.typnamespace
   WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'trigger ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_trigger
  UNION ALL SELECT 'rewrite ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_rewrite
   WHERE oid >= 16384
  UNION ALL SELECT 'policy ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_policy
  UNION ALL SELECT 'proc ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_proc
   WHERE oid >= 16384
  UNION ALL SELECT 'aggregate ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_aggregate
   WHERE aggfnoid >= 16384
  UNION ALL SELECT 'enum ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_enum
  UNION ALL SELECT 'sequence ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_sequence
  UNION ALL SELECT 'extension ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_extension
  UNION ALL SELECT 'schema ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_namespace
   WHERE nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'inherits ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_inherits
  UNION ALL SELECT 'operator ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_operator
   WHERE oid >= 16384
  UNION ALL SELECT 'cast ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_cast
   WHERE oid >= 16384
  UNION ALL SELECT 'collation ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_collation
   WHERE oid >= 16384
  UNION ALL SELECT 'publication ' || count(*) || ' ' || sum(xmin::text::bigint)
    FROM pg_publication
  UNION ALL SELECT 'published ' || count(*) || ' ' || sum(xmin::text::bigint)
    FROM pg_publication_rel
  UNION ALL SELECT 'search ' || count(*) || ' ' || sum(xmin::text::bigint) FROM pg_ts_config)" +
            newer + ") AS t(token)")
      .String(0, 0);
}

}  // namespace pgteal::pipeline
