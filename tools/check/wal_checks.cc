#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

// Sessions that a load with its default number of jobs opens, with reserve.
constexpr const char* kConnectionsSql = R"(
SELECT format('%s connections left of %s', left_over, all_of_them),
       'ALTER SYSTEM SET max_connections = …; -- then restart'
  FROM (SELECT current_setting('max_connections')::int AS all_of_them,
               current_setting('max_connections')::int
               - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0)
               - (SELECT sum(numbackends)::int FROM pg_stat_database WHERE datid <> 0)
                 AS left_over) AS c WHERE left_over < 10
UNION ALL
SELECT format('role %I may open %s connections', rolname, rolconnlimit),
       format('ALTER ROLE %I CONNECTION LIMIT -1;', rolname)
  FROM pg_roles WHERE rolname = current_user AND rolconnlimit BETWEEN 0 AND 9
UNION ALL
SELECT format('database %I allows %s connections', datname, datconnlimit),
       format('ALTER DATABASE %I CONNECTION LIMIT -1;', datname)
  FROM pg_database WHERE datname = current_database() AND datconnlimit BETWEEN 0 AND 9
)";

// Our sessions set their own; a proxy or the server may not let them.
constexpr const char* kTimeoutsSql = R"(
SELECT format('%s for %s%s', c.setting, coalesce('role ' || quote_ident(r.rolname), 'all roles'),
              coalesce(' in database ' || quote_ident(d.datname), '')),
       'ALTER ' || CASE WHEN s.setrole <> 0 THEN format('ROLE %I%s', r.rolname,
                                                        ' IN DATABASE ' || quote_ident(d.datname))
                        WHEN s.setdatabase <> 0 THEN format('DATABASE %I', d.datname)
                        ELSE 'ROLE ALL' END || format(' RESET %I;', split_part(c.setting, '=', 1))
  FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)
  LEFT JOIN pg_database AS d ON d.oid = s.setdatabase LEFT JOIN pg_roles AS r ON r.oid = s.setrole
 WHERE split_part(c.setting, '=', 1) IN ('statement_timeout', 'lock_timeout',
         'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
   AND split_part(c.setting, '=', 2) <> '0'
   AND (s.setdatabase = 0 OR d.datname = current_database())
   AND (s.setrole = 0 OR r.rolname = current_user)
)";

constexpr const char* kPendingSql =
    "SELECT name || ' is changed and not in force', '-- restart the server' FROM pg_settings"
    " WHERE pending_restart ORDER BY 1";

constexpr const char* kSynchronousSql = R"(
SELECT format('%s = %s', name, setting), NULL FROM pg_settings
 WHERE name IN ('synchronous_standby_names', 'synchronized_standby_slots') AND setting <> ''
)";

// The rate of this moment, from two looks, and the average since the server's counters began. The
// innermost target list is evaluated from left to right.
constexpr const char* kRateSql = R"(
SELECT format('%s in %s files; %s/s now, %s/s since %s: a slot that stands still keeps %s a day',
              pg_size_pretty(bytes), number, pg_size_pretty(now), pg_size_pretty(average), since,
              pg_size_pretty(86400 * greatest(now, average))), NULL
  FROM (SELECT sum(size)::bigint AS bytes, count(*) AS number FROM pg_ls_waldir()) AS files, (
    SELECT (pg_wal_lsn_diff(later_lsn, lsn) / extract(epoch FROM later - at)::numeric)::bigint
             AS now,
           (w.wal_bytes / extract(epoch FROM later - w.stats_reset)::numeric)::bigint AS average,
           w.stats_reset::date AS since
      FROM pg_stat_wal AS w, (
        SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                    ELSE pg_current_wal_insert_lsn() END AS lsn, clock_timestamp() AS at,
               pg_sleep(0.2),
               CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                    ELSE pg_current_wal_insert_lsn() END AS later_lsn, clock_timestamp() AS later
        OFFSET 0) AS looks) AS rates)";

const std::vector<Check> kSlotChecks = {
    {.id = "B1",
     .side = kBlue,
     .levels = {kFatal, kFatal, kFatal},
     .title = "wal_level is logical",
     .sql = R"(
SELECT 'wal_level = ' || level, 'ALTER SYSTEM SET wal_level = ''logical''; -- then restart blue'
  FROM coalesce(current_setting('effective_wal_level', true), current_setting('wal_level')) AS level
 WHERE level <> 'logical')"},
    {.id = "B2",
     .side = kBlue,
     .levels = {kFatal},
     .title = "a replication slot is free",
     .sql = R"(
SELECT format('all %s replication slots are in use', current_setting('max_replication_slots')),
       'ALTER SYSTEM SET max_replication_slots = …; -- then restart blue'
  FROM pg_replication_slots HAVING count(*) >= current_setting('max_replication_slots')::int)"},
    {.id = "B3", .side = kBlue, .levels = {kFatal}, .title = "two WAL senders are free", .sql = R"(
SELECT format('%s of %s WAL senders are in use', count(*), current_setting('max_wal_senders')),
       'ALTER SYSTEM SET max_wal_senders = …; -- then restart blue'
  FROM pg_stat_replication HAVING count(*) + 2 > current_setting('max_wal_senders')::int)"},
    {.id = "B4",
     .side = kBlue,
     .levels = {kWarn},
     .title = "every replication slot could have a WAL sender",
     .sql = R"(
SELECT format('max_wal_senders = %s, max_replication_slots = %s',
              current_setting('max_wal_senders'), current_setting('max_replication_slots')),
       format('ALTER SYSTEM SET max_wal_senders = %s; -- then restart blue',
              current_setting('max_replication_slots'))
 WHERE current_setting('max_wal_senders')::int < current_setting('max_replication_slots')::int)"},
    {.id = "B5",
     .side = kBlue,
     .levels = {kWarn, kWarn},
     .title = "WAL kept for a slot has a limit, and a generous one",
     .sql = R"(
SELECT CASE WHEN setting = '-1' THEN 'no limit: a slot left behind fills blue''s disk'
            ELSE format('max_slot_wal_keep_size = %s MB: a slot that falls behind is lost', setting)
       END,
       'ALTER SYSTEM SET max_slot_wal_keep_size = ''…GB''; SELECT pg_reload_conf();',
       CASE WHEN setting = '-1' THEN 'info' END
  FROM pg_settings WHERE name = 'max_slot_wal_keep_size' AND setting::bigint < 10240)"},
    {.id = "B6",
     .side = kBlue,
     .levels = {kWarn, kWarn},
     .title = "an idle slot is not given up",
     .sql = R"(
SELECT 'idle_replication_slot_timeout = ' || current_setting('idle_replication_slot_timeout'),
       'ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();'
  FROM pg_settings WHERE name = 'idle_replication_slot_timeout' AND setting <> '0')",
     .version_min = 180000},
    {.id = "B7",
     .side = kBlue,
     .levels = {kWarn, kWarn},
     .title = "wal_sender_timeout is off or at least 10 s",
     .sql = R"(
SELECT format('wal_sender_timeout = %s ms', setting),
       'ALTER SYSTEM SET wal_sender_timeout = ''60s''; SELECT pg_reload_conf();'
  FROM pg_settings WHERE name = 'wal_sender_timeout' AND setting::int BETWEEN 1 AND 9999)"},
    {.id = "B8",
     .side = kBlue,
     .levels = {kInfo, kInfo},
     .title = "logical_decoding_work_mem is at least 64 MB",
     .sql = R"(
SELECT format('logical_decoding_work_mem = %s kB: blue spills transactions to disk', setting),
       'ALTER SYSTEM SET logical_decoding_work_mem = ''64MB''; SELECT pg_reload_conf();'
  FROM pg_settings WHERE name = 'logical_decoding_work_mem' AND setting::int < 65536)"},
    {.id = "B10",
     .side = kBlue,
     .levels = {kFatal, kFatal},
     .title = "blue's list of allowed output plugins has pgoutput",
     .sql = R"(
SELECT 'output_plugin_libraries = ' || list,
       'ALTER SYSTEM SET output_plugin_libraries = … with pgoutput; SELECT pg_reload_conf();'
  FROM current_setting('output_plugin_libraries', true) AS list
 WHERE list <> '' AND list !~ 'pgoutput|\*')"},
    {.id = "B11",
     .side = kBlue,
     .levels = {kFatal},
     .title = "a slot with pgoutput can be made (a temporary one was)",
     .code = CheckPlugin},
};

}  // namespace

CheckArea WalChecks() {
  CheckArea area{"WAL, slots, limits", kSlotChecks};
  const std::vector<Check> limits = {
      {.id = "B15",
       .side = kBlue,
       .levels = {kInfo, kInfo},
       .title = "WAL on blue's disk, and how fast it grows",
       .sql = kRateSql},
      {.id = "B16",
       .side = kBlue,
       .levels = {kWarn, kWarn},
       .title = "transaction ids are far from wraparound",
       .advice = "Let VACUUM (FREEZE) finish first: the snapshot of a load holds it back.",
       .sql = R"(
SELECT format('database %I is %s transactions old', datname, age(datfrozenxid)), 'VACUUM (FREEZE);'
  FROM pg_database WHERE age(datfrozenxid) > 1000000000 OR mxid_age(datminmxid) > 1000000000)"},
  };
  area.checks.insert(area.checks.end(), limits.begin(), limits.end());
  for (const auto side : {kBlue, kGreen}) {
    const std::vector<Check> both = {
        {.id = "B9",
         .side = side,
         .levels = {kInfo, kInfo},
         .title = "no timeout is set for our role (pgteal's sessions override them)",
         .sql = kTimeoutsSql},
        {.id = "B12",
         .side = side,
         .levels = {kWarn, kWarn},
         .title = "no changed setting waits for a restart",
         .sql = kPendingSql},
        {.id = "B13",
         .side = side,
         .levels = {kFatal},
         .title = "ten connections are free",
         .sql = kConnectionsSql},
        {.id = "B14",
         .side = side,
         .levels = {kWarn, kWarn, kWarn},
         .title = "no standby can hold up commits or the stream",
         .sql = kSynchronousSql},
    };
    area.checks.insert(area.checks.end(), both.begin(), both.end());
  }
  return area;
}

}  // namespace pgteal::tools
