#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

constexpr const char* kWayBackSql = R"(
SELECT 'wal_level = ' || current_setting('wal_level'),
       'ALTER SYSTEM SET wal_level = ''logical''; -- then restart green'
 WHERE current_setting('wal_level') <> 'logical'
UNION ALL
SELECT 'all replication slots are in use',
       'ALTER SYSTEM SET max_replication_slots = …; -- then restart green'
  FROM pg_replication_slots HAVING count(*) >= current_setting('max_replication_slots')::int
UNION ALL
SELECT format('role %I lacks REPLICATION', rolname), format('ALTER ROLE %I REPLICATION;', rolname)
  FROM pg_roles WHERE rolname = current_user AND NOT (rolreplication OR rolsuper
   OR coalesce((SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles
                 WHERE rolname = 'rds_replication'), false)))";

// Up to the row that was seen: what comes later has not been dealt with. Green's default is
// read-only.
constexpr const char* kConflictsSql = R"(
SELECT format('%s: %s %ss %s', relation, count(*), operation, resolution),
       format('BEGIN READ WRITE; DELETE FROM pgteal.conflict WHERE slot = %L AND relation = %L'
              ' AND operation = %L AND resolution = %L AND id <= %s; COMMIT;'
              ' -- after pgteal verify --repair', slot, relation, operation, resolution, max(id))
  FROM pgteal.conflict WHERE slot = @name@
 GROUP BY slot, relation, operation, resolution ORDER BY 1)";

const std::vector<Check> kSlotChecks = {
    {.id = "H1",
     .side = kBlue,
     .levels = {kNone, kFatal, kFatal},
     .title = "the slot is healthy",
     .advice = "A slot that is gone or lost cannot be repaired: pgteal cleanup, and begin anew.",
     .sql = R"(
SELECT format('slot %I does not exist', @name@::text), NULL, NULL
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = @name@)
UNION ALL
SELECT format('slot %I is lost: %s', slot_name,
              coalesce(to_jsonb(s)->>'invalidation_reason', 'wal_removed')), NULL, NULL
  FROM pg_replication_slots AS s WHERE slot_name = @name@
   AND (wal_status = 'lost' OR to_jsonb(s)->>'invalidation_reason' IS NOT NULL)
UNION ALL
SELECT format('slot %I uses %s in database %I', slot_name, plugin, database), NULL, NULL
  FROM pg_replication_slots WHERE slot_name = @name@
   AND (plugin IS DISTINCT FROM 'pgoutput' OR database <> current_database())
UNION ALL
SELECT format('slot %I is about to be lost: its WAL exceeds max_slot_wal_keep_size', slot_name),
       'ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();', 'warn'
  FROM pg_replication_slots WHERE slot_name = @name@ AND wal_status = 'unreserved')"},
    {.id = "H2",
     .side = kBlue,
     .levels = {kNone, kInfo},
     .title = "the slot spilled nothing to disk",
     .sql = R"(
SELECT format('%s transactions spilled, %s', spill_txns, pg_size_pretty(spill_bytes)),
       'ALTER SYSTEM SET logical_decoding_work_mem = …; SELECT pg_reload_conf();'
  FROM pg_stat_replication_slots WHERE slot_name = @name@ AND spill_txns > 0)"},
    {.id = "H3",
     .side = kBlue,
     .levels = {kNone, kWarn, kFatal},
     .title = "pgteal streams and is not far behind",
     .advice = "Start pgteal run, and wait until it has caught up.",
     .sql = R"(
SELECT format('nobody reads slot %I', slot_name), NULL FROM pg_replication_slots
 WHERE slot_name = @name@ AND NOT active
UNION ALL
SELECT format('%s behind', pg_size_pretty(lag)), NULL
  FROM (SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                               ELSE pg_current_wal_lsn() END, confirmed_flush_lsn) AS lag
          FROM pg_replication_slots WHERE slot_name = @name@) AS s
 WHERE lag > 67108864)"},
    {.id = "H9",
     .side = kPair,
     .levels = {kNone, kFatal, kFatal},
     .title = "blue's schema has not changed since the deployment began, or green has it too",
     .advice = kGreenIsReadOnly,
     .code = CheckDrift},
    {.id = "H12",
     .side = kGreen,
     .levels = {kNone, kInfo, kFatal},
     .title = "the initial copy is complete",
     .advice = "Let pgteal run finish it.",
     .sql = "SELECT format('deployment %I is in state %L', name, state), NULL FROM"
            " pgteal.deployment WHERE name = @name@ AND state IN ('schema', 'copying',"
            " 'indexing', 'catching_up')"},
};

const std::vector<Check> kSwitchoverChecks = {
    {.id = "H4",
     .side = kGreen,
     .levels = {kNone, kWarn, kFatal},
     .title = "nobody else writes on green",
     .sql = R"(
SELECT format('process %s of role %I (%s)', pid, usename, state),
       format('SELECT pg_terminate_backend(%s);', pid)
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
   AND application_name !~ '^pgteal' AND backend_type <> 'autovacuum worker' ORDER BY pid)",
     .role = "pg_read_all_stats"},
    {.id = "H6",
     .side = kBlue,
     .levels = {kWarn, kWarn, kFatal},
     .title = "our role may lock every other role out of blue",
     .advice = "Only a superuser locks out a superuser. --leave-role names roles that never write.",
     .code = CheckFence},
    {.id = "H8",
     .side = kGreen,
     .levels = {kNone, kInfo, kWarn},
     .title = "every table on green has been analyzed",
     .sql = R"(
SELECT r.name, format('ANALYZE %s;', r.name) FROM relations AS r
  JOIN pg_stat_all_tables AS s ON s.relid = r.oid
 WHERE r.relkind IN ('r', 'm') AND coalesce(s.last_analyze, s.last_autoanalyze) IS NULL
   AND pg_relation_size(r.oid) > 0 ORDER BY 1)"},
    {.id = "H10",
     .side = kGreen,
     .levels = {kWarn, kWarn, kFatal},
     .title = "green can stream the way back",
     .sql = kWayBackSql},
    {.id = "H15",
     .side = kBlue,
     .levels = {kWarn, kWarn, kFatal},
     .title = "blue's triggers, rules and foreign keys stay silent when green's rows come back",
     .advice = "They would act once more for every row, and blue would differ from green, or the "
               "stream stop at a row that a foreign key has deleted already.",
     .code = CheckSilentWayBack},
    {.id = "H16",
     .side = kPair,
     .levels = {kNone, kWarn, kFatal},
     .title = "green can publish for the way back what blue publishes",
     .advice = "What it does not publish, a rollback would lose.",
     .code = CheckBackPublication},
    {.id = "H13",
     .side = kPair,
     .levels = {kWarn, kWarn, kFatal},
     .title = "roles that write on blue can write on green once it is open",
     .code = CheckReadOnlyRoles},
    {.id = "H17",
     .side = kGreen,
     .levels = {kNone, kWarn, kFatal},
     .title = "no fence of another database of green's server keeps out roles that need green",
     .advice = "Roles are the server's: they can log in again once the last database that keeps "
               "them out is opened. Turn all of these deployments, one right after the other, with "
               "--skip-check H17 for all but the last. A database that stays closed for good: drop "
               "it, or ALTER ROLE … LOGIN, after which it can be written.",
     .code = CheckKeptOut},
    {.id = "H14",
     .side = kGreen,
     .levels = {kNone, kWarn, kFatal},
     .title = "every change of blue was applied as it was",
     .advice = "Skipped and overwritten changes: pgteal verify --repair mends the rows.",
     .sql = kConflictsSql},
    {.id = "H11",
     .side = kBlue,
     .levels = {kInfo, kInfo},
     .title = "size of the database",
     .sql = "SELECT pg_size_pretty(pg_database_size(current_database())), NULL"},
};

}  // namespace

CheckArea RunningChecks() {
  CheckArea area{"Deployment and switchover", kSlotChecks};
  area.checks.insert(area.checks.end(), kSwitchoverChecks.begin(), kSwitchoverChecks.end());
  return area;
}

}  // namespace pgteal::tools
