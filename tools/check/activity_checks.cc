#include "tools/check/check_table.h"
#include "tools/check/other_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

constexpr const char* kActivityRole = "pg_read_all_stats";

// A slot waits for every transaction of the cluster; a fence only for those of its database.
constexpr const char* kPreparedSql = R"(
SELECT format('prepared transaction %L of role %I in database %I, since %s', gid, owner, database,
              date_trunc('second', prepared)),
       format('ROLLBACK PREPARED %L; -- or COMMIT PREPARED, in database %I', gid, database)
  FROM pg_prepared_xacts WHERE @before@ OR database = current_database() ORDER BY prepared)";

constexpr const char* kLongSql = R"(
SELECT format('process %s of role %I in database %I, %s for %s', pid, usename, datname, state,
              date_trunc('second', clock_timestamp() - xact_start)),
       format('SELECT pg_terminate_backend(%s);', pid)
  FROM pg_stat_activity
 WHERE xact_start < clock_timestamp() - interval '@seconds@ s' AND pid <> pg_backend_pid()
   AND backend_type IN ('client backend', 'background worker', 'parallel worker')
   AND application_name !~ '^pgteal' AND (@before@ OR datname = current_database())
 ORDER BY xact_start)";

const std::vector<Check> kActivityChecks = {
    {.id = "F1",
     .side = kBlue,
     .levels = {kFatal},
     .title = "no prepared transaction is open (the slot waits for it)",
     .sql = kPreparedSql},
    {.id = "F1",
     .side = kBlue,
     .levels = {kNone, kWarn, kFatal},
     .title = "no prepared transaction is open",
     .sql = kPreparedSql},
    {.id = "F1",
     .side = kGreen,
     .levels = {kWarn, kFatal, kFatal},
     .title = "no prepared transaction holds locks on green",
     .sql = kPreparedSql},
    {.id = "F2",
     .side = kBlue,
     .levels = {kWarn},
     .title = "no transaction has been open for long (the slot waits for those that write)",
     .sql = kLongSql,
     .role = kActivityRole},
    {.id = "F2",
     .side = kBlue,
     .levels = {kNone, kInfo, kFatal},
     .title = "no transaction has been open for long (the fence would end it)",
     .sql = kLongSql,
     .role = kActivityRole},
    {.id = "F3",
     .side = kBlue,
     .levels = {kWarn, kWarn, kFatal},
     .title = "nobody changes the schema at this moment",
     .sql = R"(
SELECT format('process %s %s %s on %s', l.pid,
              CASE WHEN l.granted THEN 'holds' ELSE 'waits for' END, l.mode, r.name),
       format('SELECT pg_terminate_backend(%s);', l.pid)
  FROM pg_locks AS l JOIN relations AS r ON r.oid = l.relation
  JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.pid <> pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.mode IN ('AccessExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
   AND coalesce(a.backend_type, '') <> 'autovacuum worker' AND a.application_name !~ '^pgteal'
 ORDER BY 1)"},
    {.id = "F4",
     .side = kBlue,
     .levels = {kWarn, kWarn, kFatal},
     .title = "blue takes part in no other logical replication",
     .advice = "After the switchover they would go on with blue: move them to green.",
     .code = CheckOtherReplication},
    {.id = "F5",
     .side = kGreen,
     .levels = {kWarn, kInfo},
     .title = "green takes part in no other logical replication",
     .advice = "A subscription that feeds the tables of blue would bring every change twice.",
     .sql = R"(
SELECT format('subscription %I', subname), format('ALTER SUBSCRIPTION %I DISABLE;', subname)
  FROM pg_subscription
 WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND subenabled
UNION ALL
SELECT format('origin %L', roname), format('SELECT pg_replication_origin_drop(%L);', roname)
  FROM pg_replication_origin WHERE NOT starts_with(roname, 'pgteal_')
   AND NOT EXISTS (SELECT FROM pg_subscription AS s
                    WHERE roname ~ ('^pg_' || s.oid || '(_[0-9]+)?$')) ORDER BY 1)"},
    {.id = "F6",
     .side = kBlue,
     .levels = {kWarn, kWarn, kFatal},
     .title = "no other deployment of pgteal takes from blue",
     .advice = "A switchover closes blue for their tables, too: switch all of them over, one right "
               "after the other, with --skip-check F6, or end those that are not needed.",
     .code = CheckOtherDeployments},
};

}  // namespace

CheckArea ActivityChecks() { return {"Activity", kActivityChecks}; }

}  // namespace pgteal::tools
