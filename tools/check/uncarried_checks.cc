#include "tools/check/check_table.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

// An int4 column can end before its bigint sequence does.
constexpr const char* kExhaustionSql = R"(
SELECT format('%s is at %s of %s (%s %%)%s', name, last, last_possible,
              round(100 * last / last_possible, 1), ' in ' || owner),
       CASE WHEN owner IS NULL
            THEN format('ALTER SEQUENCE %s AS bigint NO MAXVALUE; -- on both sides', name)
            ELSE format('ALTER TABLE %s ALTER %I TYPE bigint; -- on green, before the switchover',
                        owner_table, owner_column) END,
       NULL
  FROM (
    SELECT r.name, s.last_value::numeric AS last,
           least(s.max_value, CASE a.atttypid WHEN 'int2'::regtype THEN 32767
                                              WHEN 'int4'::regtype THEN 2147483647 END)::numeric
             AS last_possible,
           a.attrelid::regclass AS owner_table, a.attname AS owner_column,
           a.attrelid::regclass || '.' || quote_ident(a.attname) AS owner
      FROM relations AS r
      JOIN pg_sequences AS s ON s.schemaname = r.nspname AND s.sequencename = r.relname
      LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
      LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE s.increment_by > 0 AND NOT s.cycle AND s.last_value > 0) AS q
 WHERE last > 0.8 * last_possible
UNION ALL
SELECT format('%s sequences may not be read (C3 prints the GRANTs)', count(*)), NULL, NULL
  FROM relations AS r
 WHERE CASE r.relkind WHEN 'S' THEN NOT has_sequence_privilege(r.oid, 'SELECT, USAGE') END
HAVING count(*) > 0)";

const std::vector<Check> kBlueChecks = {
    {.id = "E1",
     .side = kBlue,
     .levels = {kInfo, kInfo, kInfo},
     .title = "sequences are set at the switchover",
     .sql = "SELECT format('%s sequences', count(*)), NULL FROM relations WHERE relkind = 'S'"
            " HAVING count(*) > 0"},
    {.id = "E2",
     .side = kBlue,
     .levels = {kWarn, kWarn, kWarn},
     .title = "no sequence is near its end",
     .sql = kExhaustionSql},
    {.id = "E3",
     .side = kBlue,
     .levels = {kWarn, kWarn, kWarn},
     .title = "there are no large objects (the stream does not carry them)",
     .sql = "SELECT format('%s large objects', count(*)), NULL FROM pg_largeobject_metadata"
            " HAVING count(*) > 0"},
    {.id = "E5",
     .side = kBlue,
     .levels = {kWarn, kInfo, kInfo},
     .title = "no foreign server has to be reachable from green",
     .advice = "User mappings hold passwords: make them on green.",
     .sql = R"(
SELECT format('server %I of %I', s.srvname, w.fdwname), NULL FROM pg_foreign_server AS s
  JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw ORDER BY 1)"},
    {.id = "E10",
     .side = kBlue,
     .levels = {kInfo, kNone, kInfo},
     .title = "no session holds an advisory lock or listens (both end with the session)",
     .sql = R"(
SELECT format('%s sessions hold advisory locks', count(DISTINCT l.pid)), NULL
  FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.pid <> pg_backend_pid() AND a.application_name !~ '^pgteal'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
HAVING count(*) > 0)"},
};

}  // namespace

CheckArea UncarriedChecks() {
  CheckArea area{"What the stream does not carry", kBlueChecks};
  const std::vector<Check> pairs = {
      {.id = "E4",
       .side = kPair,
       .levels = {kNone, kWarn, kWarn},
       .title = "materialized views that are filled on blue are filled on green",
       .sql = R"(
SELECT r.name, format('REFRESH MATERIALIZED VIEW %s;', r.name) FROM relations AS r
 WHERE r.relkind = 'm' AND r.relispopulated ORDER BY 1)",
       .green_sql = "SELECT r.name FROM relations AS r WHERE r.relkind = 'm' AND r.relispopulated"},
      {.id = "E4",
       .side = kBlue,
       .levels = {kInfo, kInfo, kInfo},
       .title = "materialized views show green's rows only after a refresh",
       .sql = "SELECT r.name, format('REFRESH MATERIALIZED VIEW %s; -- on green', r.name)"
              " FROM relations AS r WHERE r.relkind = 'm' AND r.relispopulated ORDER BY 1"},
      {.id = "E6",
       .side = kPair,
       .levels = {kFatal, kFatal, kFatal},
       .title = "green's server has blue's extensions",
       .advice = "Install their packages on green's server.",
       .sql = "SELECT quote_ident(extname), format('CREATE EXTENSION %I;', extname)"
              " FROM pg_extension ORDER BY 1",
       .green_sql = "SELECT quote_ident(name) FROM pg_available_extensions"},
      {.id = "E7",
       .side = kPair,
       .levels = {kWarn, kWarn, kWarn},
       .title = "green loads the libraries that blue preloads",
       .sql = R"(
SELECT trim(library), 'ALTER SYSTEM SET shared_preload_libraries = …; -- then restart green'
  FROM regexp_split_to_table(current_setting('shared_preload_libraries'), ',') AS library
 WHERE trim(library) <> '' ORDER BY 1)",
       .green_sql = "SELECT trim(library) FROM regexp_split_to_table("
                    "current_setting('shared_preload_libraries'), ',') AS library"},
      {.id = "E8",
       .side = kGreen,
       .levels = {kWarn, kWarn, kWarn},
       .title = "no background job writes on green",
       .advice = "Switch its jobs off until green is open.",
       .sql = R"(
SELECT format('extension %I', extname), NULL,
       CASE WHEN extname IN ('pglogical', 'pgactive', 'spock', 'citus') THEN 'fatal' END
  FROM pg_extension WHERE extname IN ('pg_cron', 'pg_partman', 'pgagent', 'timescaledb',
       'pglogical', 'pgactive', 'spock', 'citus', 'apg_plan_mgmt') ORDER BY 1)"},
  };
  area.checks.insert(area.checks.end(), pairs.begin(), pairs.end());
  return area;
}

}  // namespace pgteal::tools
