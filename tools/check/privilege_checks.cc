#include "pipeline/schema_catalog.h"
#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

constexpr const char* kRowSecuritySql = R"(
SELECT t.name, format('ALTER ROLE %I BYPASSRLS;', current_user) FROM tables AS t
 WHERE t.relrowsecurity
   AND NOT (SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = current_user)
   AND (t.relforcerowsecurity OR NOT pg_has_role(t.relowner, 'USAGE')) ORDER BY 1)";

// Of a side whose sequences are set, and compared with the other's.
constexpr const char* kSequencesSql = R"(
SELECT r.name, CASE WHEN has_schema_privilege(r.relnamespace, 'USAGE') THEN ''
                    ELSE format('GRANT USAGE ON SCHEMA %I TO %I; ', r.nspname, current_user) END
               || format('GRANT SELECT, UPDATE ON SEQUENCE %s TO %I;', r.name, current_user)
  FROM relations AS r WHERE r.relkind = 'S'
   AND NOT (has_schema_privilege(r.relnamespace, 'USAGE')
            AND has_sequence_privilege(r.oid, 'SELECT')
            AND has_sequence_privilege(r.oid, 'UPDATE')) ORDER BY 1)";

// Whom `run --copy all` makes an owner of what, as JSON: role, schema, the schema's owner, and whom
// that one lets CREATE there ('' is PUBLIC); none for what lies in no schema. pg_shdepend knows
// nothing of the first superuser.
constexpr const char* kOwnersSql = R"(
, owned(classid, objid, owner, space) AS (
  SELECT 'pg_class'::regclass, oid, relowner, relnamespace FROM relations
   WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND relpersistence <> 't'
  UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, pronamespace FROM pg_proc
  UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typnamespace FROM pg_type
   WHERE typtype IN ('e', 'd', 'r')
  UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner, NULL FROM schemas
   WHERE nspname <> 'public'
  UNION ALL SELECT d.classid, d.objid, d.refobjid, NULL FROM pg_shdepend AS d
   WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass
     AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND d.classid IN ('pg_largeobject'::regclass, 'pg_operator'::regclass,
         'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_collation'::regclass,
         'pg_conversion'::regclass, 'pg_statistic_ext'::regclass, 'pg_ts_dict'::regclass,
         'pg_ts_config'::regclass, 'pg_foreign_server'::regclass))
SELECT json_agg(o) FROM (
  SELECT DISTINCT r.rolname AS owner, s.nspname AS space, h.rolname AS host,
         (SELECT array_agg(coalesce(g.rolname, '') ORDER BY g.rolname)
            FROM aclexplode(s.nspacl) AS a LEFT JOIN pg_roles AS g ON g.oid = a.grantee
           WHERE a.privilege_type = 'CREATE' AND a.grantor = s.nspowner) AS guests
    FROM owned AS o JOIN pg_roles AS r ON r.oid = o.owner LEFT JOIN schemas AS s ON s.oid = o.space
    LEFT JOIN pg_roles AS h ON h.oid = s.nspowner
   WHERE (o.space IS NULL OR s.oid IS NOT NULL)
     AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = o.classid
                      AND d.objid = o.objid AND d.deptype = 'e')) AS o)";

// What ALTER … OWNER TO asks of whoever is no superuser, and what has to be done to the object
// afterwards. What the owners of schemas GRANT on blue is restored before. $1: the JSON; $2: the
// privilege that SET ROLE takes; $3: blue's name.
constexpr const char* kMayGiveAwaySql = R"(
WITH owners AS (SELECT r.oid, r.rolname, o.space, o.host, o.guests,
                       EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = ANY (o.guests)
                                  AND pg_has_role(r.oid, g.oid, 'USAGE')) AS is_guest
                  FROM json_to_recordset($1::json)
                    AS o(owner name, space name, host name, guests name[])
                  JOIN pg_roles AS r ON r.rolname = o.owner
                 WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
SELECT DISTINCT format('our role is no member of %I, which owns objects', rolname),
       format('GRANT %I TO %I%s;', rolname, current_user,
              CASE WHEN $2 = 'SET' THEN ' WITH INHERIT TRUE, SET TRUE' END)
  FROM owners WHERE NOT (pg_has_role(oid, 'USAGE') AND pg_has_role(oid, $2))
UNION ALL
SELECT format('%I owns objects in schema %I and may not CREATE there', o.rolname, o.space),
       format('GRANT CREATE ON SCHEMA %I TO %I;', o.space, o.rolname)
  FROM owners AS o JOIN pg_namespace AS n ON n.nspname = o.space
 WHERE NOT has_schema_privilege(o.oid, n.oid, 'CREATE')
   AND NOT (o.is_guest AND has_schema_privilege(n.oid, 'CREATE WITH GRANT OPTION'))
UNION ALL
SELECT format('%I owns objects in schema %I and may not CREATE there on %s',
              o.rolname, o.space, $3::text),
       format('GRANT CREATE ON SCHEMA %I TO %I; -- on %s', o.space, o.rolname, $3::text)
  FROM owners AS o JOIN pg_roles AS h ON h.rolname = o.host
 WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = o.space)
   AND NOT (pg_has_role(o.oid, h.oid, 'USAGE') OR o.is_guest
            OR '' = ANY (coalesce(o.guests, '{}')))
 ORDER BY 1)";

CheckAnswer CheckOwners(const CheckContext& context) {
  const auto owners = context.blue->Exec(std::string(pipeline::kUserObjects) + kOwnersSql);
  CheckAnswer answer;
  if (owners.IsNull(0, 0)) return answer;
  const bool has_set_option = context.green->server_version() >= 160000;
  const auto rows = context.green->Exec(
      kMayGiveAwaySql,
      {owners.String(0, 0), has_set_option ? "SET" : "MEMBER", context.options.sides.blue});
  for (int i = 0; i < rows.rows(); ++i) {
    answer.findings.push_back({.finding = {.object = rows.String(i, 0), .fix = rows.String(i, 1)},
                               .level = Level::kNone});
  }
  return answer;
}

const std::vector<Check> kBlueChecks = {
    {.id = "C1",
     .side = kBlue,
     .levels = {kFatal, kFatal},
     .title = "our role may replicate",
     .sql = R"(
SELECT format('role %I lacks REPLICATION', rolname), format('ALTER ROLE %I REPLICATION;', rolname)
  FROM pg_roles WHERE rolname = current_user AND NOT (rolreplication OR rolsuper
   OR coalesce((SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles
                 WHERE rolname = 'rds_replication'), false)))"},
    {.id = "C2",
     .side = kBlue,
     .levels = {kFatal, kInfo},
     .title = "our role may read every table",
     .sql = R"(
SELECT t.name, CASE WHEN has_schema_privilege(t.relnamespace, 'USAGE') THEN ''
                    ELSE format('GRANT USAGE ON SCHEMA %I TO %I; ', t.nspname, current_user) END
               || format('GRANT SELECT ON %s TO %I;', t.name, current_user)
  FROM tables AS t WHERE NOT (has_schema_privilege(t.relnamespace, 'USAGE')
                              AND has_table_privilege(t.oid, 'SELECT')) ORDER BY 1)"},
    {.id = "C3",
     .side = kBlue,
     .levels = {kFatal, kWarn, kFatal},
     .title = "our role may read every sequence",
     .sql = R"(
SELECT r.name, CASE WHEN has_schema_privilege(r.relnamespace, 'USAGE') THEN ''
                    ELSE format('GRANT USAGE ON SCHEMA %I TO %I; ', r.nspname, current_user) END
               || format('GRANT SELECT ON SEQUENCE %s TO %I;', r.name, current_user)
  FROM relations AS r WHERE r.relkind = 'S'
   AND NOT (has_schema_privilege(r.relnamespace, 'USAGE')
            AND has_sequence_privilege(r.oid, 'SELECT')) ORDER BY 1)"},
    {.id = "C4",
     .side = kBlue,
     .levels = {kFatal},
     .title = "our role may create the publication, or somebody has",
     .sql = R"(
SELECT p.missing, p.fix FROM (
  SELECT format('role %I may not CREATE in the database', current_user) AS missing,
         format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user) AS fix
   WHERE NOT has_database_privilege(current_database(), 'CREATE')
  UNION ALL
  SELECT format('%s belongs to %I', t.name, o.rolname),
         format('GRANT %I TO %I;', o.rolname, current_user)
    FROM tables AS t JOIN pg_roles AS o ON o.oid = t.relowner
   WHERE NOT pg_has_role(t.relowner, 'USAGE') AND t.relpersistence = 'p') AS p
 WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = @name@) ORDER BY 1)"},
    {.id = "C13",
     .side = kBlue,
     .levels = {kWarn, kWarn, kFatal},
     .title = "our role may set blue's sequences on the way back",
     .sql = kSequencesSql},
    {.id = "C10",
     .side = kBlue,
     .levels = {kInfo},
     .title = "no object belongs to a role of the provider",
     .sql = R"(
SELECT format('%s belongs to %I', r.name, o.rolname),
       format('ALTER TABLE %s OWNER TO …;', r.name)
  FROM relations AS r JOIN pg_roles AS o ON o.oid = r.relowner
 WHERE o.rolname ~ '^(rdsadmin|azuresu|cloudsqladmin|pg_)' ORDER BY 1)"},
};

const std::vector<Check> kGreenChecks = {
    {.id = "C5",
     .side = kGreen,
     .levels = {kFatal, kFatal, kFatal},
     .title = "our role may write every table",
     .sql = R"(
SELECT t.name, CASE WHEN has_schema_privilege(t.relnamespace, 'USAGE') THEN ''
                    ELSE format('GRANT USAGE ON SCHEMA %I TO %I; ', t.nspname, current_user) END
               || format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO %I;', t.name,
                         current_user)
  FROM tables AS t WHERE NOT (has_schema_privilege(t.relnamespace, 'USAGE')
   AND has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT')
   AND has_table_privilege(t.oid, 'UPDATE') AND has_table_privilege(t.oid, 'DELETE')
   AND has_table_privilege(t.oid, 'TRUNCATE')) ORDER BY 1)"},
    {.id = "C12",
     .side = kGreen,
     .levels = {kFatal, kWarn, kFatal},
     .title = "our role may read and set every sequence",
     .sql = kSequencesSql},
    {.id = "C6",
     .side = kGreen,
     .levels = {kWarn, kWarn, kWarn},
     .title = "our role may silence triggers and tag its commits",
     .code = CheckReplicaRole},
    {.id = "C7",
     .side = kGreen,
     .levels = {kFatal},
     .title = "our role may create schema pgteal and make the database read-only",
     .sql = R"(
SELECT format('role %I may not CREATE in the database', current_user),
       format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user), NULL
 WHERE NOT has_database_privilege(current_database(), 'CREATE')
UNION ALL
SELECT format('role %I does not own the database: green stays open for writers', current_user),
       format('ALTER DATABASE %I OWNER TO %I;', datname, current_user), 'warn'
  FROM pg_database WHERE datname = current_database() AND NOT pg_has_role(datdba, 'USAGE'))"},
};

}  // namespace

CheckArea PrivilegeChecks() {
  CheckArea area{"Privileges", kBlueChecks};
  area.checks.insert(area.checks.end(), kGreenChecks.begin(), kGreenChecks.end());
  for (const auto side : {kBlue, kGreen}) {
    area.checks.push_back({.id = "C8",
                           .side = side,
                           .levels = {kFatal, kFatal, side == kGreen ? kFatal : kWarn},
                           .title = "no row security stands between our role and the rows",
                           .sql = kRowSecuritySql});
  }
  area.checks.push_back({.id = "C9",
                         .side = kPair,
                         .levels = {kFatal, kWarn, kWarn},
                         .title = "green has the roles that own or may use blue's objects",
                         .advice = "With passwords: pg_dumpall --roles-only. run --no-owner "
                                   "--no-privileges does without them.",
                         .sql = R"(
SELECT DISTINCT quote_ident(r.rolname),
       format('CREATE ROLE %I%s%s%s%s;', r.rolname, CASE WHEN r.rolcanlogin THEN ' LOGIN' END,
              CASE WHEN r.rolsuper THEN ' SUPERUSER' END,
              CASE WHEN r.rolreplication THEN ' REPLICATION' END,
              CASE WHEN r.rolbypassrls THEN ' BYPASSRLS' END)
  FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
 WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname !~ '^pg_'
   AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1)",
                         .green_sql = "SELECT quote_ident(rolname) FROM pg_roles"});
  area.checks.push_back({.id = "C11",
                         .side = kPair,
                         .levels = {kFatal},
                         .title = "our role may give green's objects to their owners",
                         .advice = "Or as a superuser; run --no-owner does without.",
                         .code = CheckOwners,
                         .copy = CheckCopy::kAll});
  return area;
}

}  // namespace pgteal::tools
