#include "pipeline/schema_catalog.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kSchemas = R"(
SELECT quote_ident(nspname), '', '', format('CREATE SCHEMA %I;', nspname), '', '' FROM schemas)";

// Another version of an extension is a difference that its packages decide.
constexpr const char* kExtensions = R"(
SELECT quote_ident(e.extname), '', e.extversion,
       format('CREATE EXTENSION %I SCHEMA %I;', e.extname, n.nspname),
       format('ALTER EXTENSION %I UPDATE;', e.extname), ''
  FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace)";

// What a range type or an extension brings along is not a function of its own.
constexpr const char* kFunctions = R"(
SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), '', pg_get_functiondef(p.oid) || ';',
       pg_get_functiondef(p.oid) || ';', ''
  FROM pg_proc AS p JOIN schemas AS s ON s.oid = p.pronamespace
 WHERE p.prokind <> 'a' AND NOT EXISTS (SELECT FROM pg_depend AS d
   WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')))";

constexpr const char* kAggregates = R"(
SELECT p.oid::regprocedure::text,
       format('%s %s initial %s final %s combine %s serial %s deserial %s moving %s %s %s sort %s',
              a.aggtransfn, format_type(a.aggtranstype, NULL), a.agginitval, a.aggfinalfn,
              a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
              a.aggmfinalfn, a.aggsortop::regoperator), '', '', '', ''
  FROM pg_proc AS p JOIN schemas AS s ON s.oid = p.pronamespace
  JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
 WHERE NOT EXISTS (SELECT FROM pg_depend AS d
   WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))";

// The detail of an enum: labels that green has more of do no harm.
constexpr const char* kTypes = R"(
SELECT format_type(t.oid, NULL),
       CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN concat_ws(' ', 'domain AS',
           format_type(t.typbasetype, t.typtypmod),
           CASE WHEN t.typcollation <> b.typcollation
                THEN 'COLLATE ' || t.typcollation::regcollation END,
           'DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN 'NOT NULL' END,
           (SELECT string_agg(format('CONSTRAINT %I %s', k.conname,
                     regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')), ' '
                     ORDER BY k.conname)
              FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'))
       WHEN 'c' THEN 'composite (' || (SELECT string_agg(quote_ident(a.attname) || ' '
             || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) || ')'
       WHEN 'r' THEN (SELECT format('range of %s %s canonical %s difference %s',
             format_type(g.rngsubtype, NULL), nullif(g.rngcollation, 0)::regcollation,
             g.rngcanonical, g.rngsubdiff) FROM pg_range AS g WHERE g.rngtypid = t.oid)
       ELSE format('base type %s %s', t.typinput, t.typlen) END,
       l.labels,
       CASE t.typtype WHEN 'e' THEN format('CREATE TYPE %s AS ENUM (%s);', format_type(t.oid, NULL),
                                           l.quoted) END, '', ''
  FROM pg_type AS t JOIN schemas AS s ON s.oid = t.typnamespace
  LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
  LEFT JOIN pg_class AS c ON c.oid = t.typrelid
 CROSS JOIN LATERAL (
   SELECT string_agg(e.enumlabel, E'\n' ORDER BY e.enumsortorder) AS labels,
          string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) AS quoted
     FROM pg_enum AS e WHERE e.enumtypid = t.oid) AS l
 WHERE t.typtype <> 'm' AND (t.typrelid = 0 OR c.relkind = 'c')
   AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid)
   AND NOT EXISTS (SELECT FROM pg_depend AS d
     WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'))";

constexpr const char* kOthers = R"(
SELECT o.object, o.definition, '', '', '', '' FROM (
  SELECT 'pg_operator'::regclass AS class, p.oid, 'operator ' || p.oid::regoperator AS object,
         p.oprcode::text AS definition
    FROM pg_operator AS p JOIN schemas AS s ON s.oid = p.oprnamespace
  UNION ALL
  SELECT 'pg_cast'::regclass, oid, format('cast %s AS %s', format_type(castsource, NULL),
         format_type(casttarget, NULL)), castcontext::text || ' ' || castfunc::regprocedure
    FROM pg_cast WHERE oid >= 16384
  UNION ALL
  SELECT 'pg_collation'::regclass, c.oid, format('collation %I.%I', s.nspname, c.collname),
         concat_ws(' ', c.collprovider, coalesce(to_jsonb(c)->>'colllocale',
                   to_jsonb(c)->>'colliculocale', c.collcollate), c.collisdeterministic)
    FROM pg_collation AS c JOIN schemas AS s ON s.oid = c.collnamespace
  UNION ALL
  SELECT 'pg_ts_config'::regclass, c.oid,
         format('text search configuration %I.%I', s.nspname, c.cfgname),
         (SELECT string_agg(m.maptokentype || ' ' || m.mapdict::regdictionary, ', '
                            ORDER BY m.maptokentype, m.mapseqno)
            FROM pg_ts_config_map AS m WHERE m.mapcfg = c.oid)
    FROM pg_ts_config AS c JOIN schemas AS s ON s.oid = c.cfgnamespace
  UNION ALL
  SELECT 'pg_ts_dict'::regclass, t.oid,
         format('text search dictionary %I.%I', s.nspname, t.dictname), t.dictinitoption
    FROM pg_ts_dict AS t JOIN schemas AS s ON s.oid = t.dictnamespace
  UNION ALL
  SELECT 'pg_opclass'::regclass, c.oid,
         format('operator class %I.%I for %I', s.nspname, c.opcname, m.amname),
         format_type(c.opcintype, NULL) || CASE WHEN c.opcdefault THEN ' default' ELSE '' END
    FROM pg_opclass AS c JOIN schemas AS s ON s.oid = c.opcnamespace
    JOIN pg_am AS m ON m.oid = c.opcmethod
  UNION ALL
  SELECT 'pg_language'::regclass, oid, format('language %I', lanname), '' FROM pg_language
   WHERE oid >= 16384
  UNION ALL
  SELECT 'pg_foreign_server'::regclass, oid, format('foreign server %I', srvname), ''
    FROM pg_foreign_server) AS o
 WHERE NOT EXISTS (SELECT FROM pg_depend AS d
   WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e'))";

}  // namespace

std::vector<SchemaKind> ObjectKinds() {
  using enum SchemaWeight;
  return {{"schema", kStructure, kSchemas},     {"extension", kStructure, kExtensions},
          {"function", kStructure, kFunctions}, {"aggregate", kStructure, kAggregates},
          {"type", kStructure, kTypes},         {"object", kStructure, kOthers}};
}

}  // namespace pgteal::pipeline
