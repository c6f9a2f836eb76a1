#include "tools/check/check_table.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

const std::vector<Check> kMajorVersionChecks = {
    {.id = "G1",
     .side = kBlue,
     .levels = {kInfo},
     .title = "no column refers to objects by their OID",
     .advice = "reg… values travel by name: the object must be on green. An oid travels as a "
               "number, and green's objects have others.",
     .sql = R"(
SELECT format('%s.%I is %s', t.name, a.attname, format_type(a.atttypid, NULL)), NULL
  FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0
  JOIN pg_type AS y ON y.oid = a.atttypid AND y.typnamespace = 'pg_catalog'::regnamespace
 WHERE NOT a.attisdropped AND y.typname ~ '^(reg(class|type|role|collation|config|dictionary|'
       'namespace|oper|operator|proc|procedure)|oid)$' ORDER BY 1)"},
    {.id = "G2",
     .side = kBlue,
     .levels = {kWarn},
     .title = "no column has a type whose form may change with the version",
     .sql = R"(
SELECT format('%s.%I is %s', t.name, a.attname, format_type(a.atttypid, NULL)), NULL
  FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0
  JOIN pg_type AS y ON y.oid = a.atttypid
 WHERE NOT a.attisdropped AND ((y.typtype = 'c' AND y.oid < 16384)
   OR y.typname IN ('sql_identifier', 'aclitem', '_aclitem', 'unknown')) ORDER BY 1)"},
    {.id = "G8",
     .side = kBlue,
     .levels = {kWarn},
     .title = "no function is in a library of its own",
     .advice = "Install the library on green's server.",
     .sql = R"(
SELECT DISTINCT p.probin, NULL FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
 WHERE l.lanname = 'c' AND p.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d
   WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') ORDER BY 1)"},
    {.id = "G10",
     .side = kBlue,
     .levels = {kFatal},
     .title = "child tables have their parent's NOT NULL (PostgreSQL 18 wants it)",
     .sql = R"(
SELECT format('%s.%I', i.inhrelid::regclass, child.attname),
       format('ALTER TABLE %s ALTER %I SET NOT NULL;', i.inhrelid::regclass, child.attname)
  FROM pg_inherits AS i JOIN tables AS t ON t.oid = i.inhrelid
  JOIN pg_attribute AS parent ON parent.attrelid = i.inhparent AND parent.attnum > 0
  JOIN pg_attribute AS child ON child.attrelid = i.inhrelid AND child.attname = parent.attname
 WHERE NOT parent.attisdropped AND parent.attnotnull AND NOT child.attnotnull
   AND @target@ >= 180000 AND current_setting('server_version_num')::int < 180000 ORDER BY 1)"},
    {.id = "G11",
     .side = kPair,
     .levels = {kInfo, kInfo, kInfo},
     .title = "green sorts texts with the collation versions that blue's indexes were built "
              "with",
     .advice = "Green's indexes are built by green and right; order and uniqueness of texts "
               "may differ from blue's.",
     .sql = R"(
SELECT DISTINCT format('%s version %s', o.oid::regcollation, pg_collation_actual_version(o.oid)),
       NULL
  FROM pg_index AS i JOIN tables AS t ON t.oid = i.indrelid
 CROSS JOIN LATERAL unnest(i.indcollation) AS k(oid)
  JOIN pg_collation AS o ON o.oid = k.oid
 WHERE pg_collation_actual_version(o.oid) IS NOT NULL ORDER BY 1)",
     .green_sql = "SELECT format('%s version %s', o.oid::regcollation,"
                  " pg_collation_actual_version(o.oid)) FROM pg_collation AS o"
                  " WHERE pg_collation_actual_version(o.oid) IS NOT NULL"},
    {.id = "G12",
     .side = kBlue,
     .levels = {kWarn},
     .title = "blue's collations have the versions that its indexes were built with",
     .sql = R"(
SELECT format('%s is recorded as %s and is %s', oid::regcollation, collversion,
              pg_collation_actual_version(oid)),
       format('-- REINDEX what uses it, then: ALTER COLLATION %s REFRESH VERSION;',
              oid::regcollation)
  FROM pg_collation WHERE collversion <> pg_collation_actual_version(oid) ORDER BY 1)"},
    {.id = "G12",
     .side = kBlue,
     .levels = {kWarn},
     .title = "blue's default collation has the version that its indexes were built with",
     .sql = R"(
SELECT format('database %I is recorded as %s and is %s', datname, datcollversion,
              pg_database_collation_actual_version(oid)),
       format('-- REINDEX what uses it, then: ALTER DATABASE %I REFRESH COLLATION VERSION;',
              datname)
  FROM pg_database
 WHERE datname = current_database()
   AND datcollversion <> pg_database_collation_actual_version(oid))",
     .version_min = 150000},
    {.id = "G13",
     .side = kBlue,
     .levels = {kWarn},
     .title = "no name of a database, role or tablespace has a line break",
     .sql = R"(
SELECT kind || ' ' || quote_ident(replace(replace(name, E'\n', '\n'), E'\r', '\r')), NULL
  FROM (SELECT 'database', datname FROM pg_database UNION ALL SELECT 'role', rolname FROM pg_roles
        UNION ALL SELECT 'tablespace', spcname FROM pg_tablespace) AS n(kind, name)
 WHERE name ~ '[\r\n]' ORDER BY 1)"},
};

}  // namespace

CheckArea MajorVersionChecks() { return {"Another major version", kMajorVersionChecks}; }

}  // namespace pgteal::tools
