#include "pipeline/schema_catalog.h"

namespace pgteal::pipeline {
namespace {

// Everything that has an owner and a list of privileges.
constexpr const char* kOwned = R"(,
owned AS (
  SELECT CASE r.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, r.name AS name,
         r.relowner AS owner,
         coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
                                       r.relowner)) AS acl, r.name AS parent
    FROM relations AS r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
     AND r.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_depend AS d
           WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'i'
             AND r.relkind = 'S')
  UNION ALL
  SELECT 'SCHEMA', quote_ident(s.nspname), s.nspowner,
         coalesce(s.nspacl, acldefault('n', s.nspowner)), quote_ident(s.nspname)
    FROM schemas AS s
  UNION ALL
  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner,
         coalesce(p.proacl, acldefault('f', p.proowner)), p.oid::regprocedure::text
    FROM pg_proc AS p JOIN schemas AS s ON s.oid = p.pronamespace
   WHERE NOT EXISTS (SELECT FROM pg_depend AS d
     WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
  UNION ALL
  SELECT 'TYPE', format_type(t.oid, NULL), t.typowner,
         coalesce(t.typacl, acldefault('T', t.typowner)), format_type(t.oid, NULL)
    FROM pg_type AS t JOIN schemas AS s ON s.oid = t.typnamespace
   WHERE t.typtype IN ('e', 'd', 'r') AND NOT EXISTS (SELECT FROM pg_depend AS d
     WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'))
)";

// Schema public has belonged to pg_database_owner since version 15.
constexpr const char* kOwners = R"(
SELECT kind || ' ' || name, r.rolname, '', '', format('ALTER %s %s OWNER TO %I;', kind, name,
       r.rolname), parent
  FROM owned JOIN pg_roles AS r ON r.oid = owner WHERE NOT (kind = 'SCHEMA' AND name = 'public'))";

// MAINTAIN is new in version 17. An owner's own privileges say nothing.
constexpr const char* kPrivileges = R"(
SELECT format('%s %s TO %s', o.kind, o.name, g.grantee), g.privileges, '',
       format('GRANT %s ON %s %s TO %s;', g.privileges, o.kind, o.name, g.grantee),
       format('REVOKE ALL ON %s %s FROM %s; GRANT %s ON %s %s TO %s;', o.kind, o.name, g.grantee,
              g.privileges, o.kind, o.name, g.grantee), o.parent
  FROM owned AS o CROSS JOIN LATERAL (
    SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee,
           string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ', '
                      ORDER BY a.privilege_type) AS privileges
      FROM aclexplode(o.acl) AS a
     WHERE a.grantee <> o.owner AND a.privilege_type <> 'MAINTAIN' GROUP BY 1) AS g)";

constexpr const char* kColumnPrivileges = R"(
SELECT format('%s.%I TO %s', r.name, a.attname, g.grantee), g.privileges, '', '', '', r.name
  FROM relations AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
 CROSS JOIN LATERAL (
    SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS grantee,
           string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS privileges
      FROM aclexplode(a.attacl) AS x WHERE x.grantee <> r.relowner GROUP BY 1) AS g
 WHERE NOT a.attisdropped)";

constexpr const char* kDefaultPrivileges = R"(
SELECT format('of %s in %s for %s TO %s', d.defaclrole::regrole,
              coalesce(nullif(d.defaclnamespace, 0)::regnamespace::text, 'all schemas'),
              d.defaclobjtype, CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                               ELSE a.grantee::regrole::text END),
       string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), '', '', '', ''
  FROM pg_default_acl AS d CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a
 WHERE a.privilege_type <> 'MAINTAIN' AND a.grantee <> d.defaclrole GROUP BY 1)";

// Green is read-only by our own hand, until the switchover. Lists of names are stored as SET takes
// them, each name quoted where need be; as one literal they would become one name.
constexpr const char* kSettings = R"(
SELECT format('%s of %s', v.name, coalesce('role ' || quote_ident(r.rolname),
              'all roles')) || CASE WHEN s.setdatabase = 0 THEN '' ELSE ' in the database' END,
       v.value, '', q.text, q.text, ''
  FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)
  LEFT JOIN pg_roles AS r ON r.oid = s.setrole
 CROSS JOIN LATERAL (SELECT split_part(c.setting, '=', 1) AS name,
              substr(c.setting, strpos(c.setting, '=') + 1) AS value) AS v
 CROSS JOIN LATERAL (SELECT CASE
     WHEN r.rolname IS NULL THEN format('ALTER DATABASE %I', current_database())
     WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I', r.rolname)
     ELSE format('ALTER ROLE %I IN DATABASE %I', r.rolname, current_database()) END
   || ' SET ' || v.name || ' = ' || CASE
     WHEN v.name NOT IN ('local_preload_libraries', 'search_path', 'session_preload_libraries',
                         'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories')
     THEN quote_literal(v.value)
     WHEN v.value IN ('', '""') THEN ''''''
     WHEN v.value ~ '^("([^"]|"")+"|[a-zA-Z_]\w*)(, *("([^"]|"")+"|[a-zA-Z_]\w*))*$' THEN v.value
     END || ';' AS text) AS q
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND v.name <> 'default_transaction_read_only')";

constexpr const char* kStorage = R"(
SELECT r.name, array_to_string(ARRAY(SELECT unnest(r.reloptions) ORDER BY 1), ', '), '', q.text,
       q.text, r.name
  FROM relations AS r CROSS JOIN LATERAL (SELECT format('ALTER %s %s SET (%s);',
         CASE r.relkind WHEN 'i' THEN 'INDEX' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
         r.name, array_to_string(r.reloptions, ', ')) AS text) AS q
 WHERE r.reloptions IS NOT NULL AND r.relkind IN ('r', 'm', 'i'))";

constexpr const char* kReplicaIdentities = R"(
SELECT t.name, i.text, '', format('ALTER TABLE %s REPLICA IDENTITY %s;', t.name, i.text),
       format('ALTER TABLE %s REPLICA IDENTITY %s;', t.name, i.text), t.name
  FROM tables AS t CROSS JOIN LATERAL (SELECT CASE t.relreplident WHEN 'd' THEN 'DEFAULT'
    WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
    ELSE 'USING INDEX ' || (SELECT quote_ident(c.relname) FROM pg_index AS x
      JOIN pg_class AS c ON c.oid = x.indexrelid WHERE x.indrelid = t.oid
       AND x.indisreplident) END AS text) AS i
 WHERE t.relkind = 'r' AND t.relpersistence = 'p')";

constexpr const char* kStatistics = R"(
SELECT quote_ident(s.nspname) || '.' || quote_ident(x.stxname), pg_get_statisticsobjdef(x.oid), '',
       pg_get_statisticsobjdef(x.oid) || ';', '', x.stxrelid::regclass::text
  FROM pg_statistic_ext AS x JOIN schemas AS s ON s.oid = x.stxnamespace)";

constexpr const char* kEventTriggers = R"(
SELECT quote_ident(e.evtname), concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evtenabled,
       array_to_string(e.evttags, ', ')), '', '', '', ''
  FROM pg_event_trigger AS e
 WHERE e.evtname !~ '^pgteal_' AND NOT EXISTS (SELECT FROM pg_depend AS d
   WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e'))";

std::string WithOwned(const char* sql) { return std::string(kOwned) + sql; }

}  // namespace

std::vector<SchemaKind> SettingKinds() {
  using enum SchemaWeight;
  return {{"owner", kSetting, WithOwned(kOwners)},
          {"privileges", kSetting, WithOwned(kPrivileges)},
          {"column privileges", kSetting, kColumnPrivileges},
          {"default privileges", kSetting, kDefaultPrivileges},
          {"setting", kSetting, kSettings},
          {"storage options", kSetting, kStorage},
          {"replica identity", kSetting, kReplicaIdentities},
          {"statistics", kSetting, kStatistics},
          {"event trigger", kSetting, kEventTriggers}};
}

}  // namespace pgteal::pipeline
