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
  return area;
}

}  // namespace pgteal::tools
