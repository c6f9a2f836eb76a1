#include "pipeline/ddl_log.h"

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kNotAllowed = "42501";

constexpr const char* kInstallSql = R"(
BEGIN;
CREATE SCHEMA IF NOT EXISTS pgteal;
CREATE UNLOGGED TABLE IF NOT EXISTS pgteal.ddl_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  role_name text NOT NULL,
  tag text NOT NULL,
  object text NOT NULL,
  statement text,
  is_reported boolean NOT NULL DEFAULT false);
CREATE OR REPLACE FUNCTION pgteal.log_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  IF tg_event = 'sql_drop' THEN
    INSERT INTO pgteal.ddl_log (role_name, tag, object, statement)
    SELECT session_user, tg_tag, o.object_identity, current_query()
      FROM pg_event_trigger_dropped_objects() AS o
     WHERE o.original AND NOT o.is_temporary AND o.schema_name IS DISTINCT FROM 'pgteal';
  ELSE
    INSERT INTO pgteal.ddl_log (role_name, tag, object, statement)
    SELECT session_user, o.command_tag, coalesce(o.object_identity, ''), current_query()
      FROM pg_event_trigger_ddl_commands() AS o
     WHERE coalesce(o.schema_name, '') NOT IN ('pg_temp', 'pgteal');
  END IF;
EXCEPTION WHEN OTHERS THEN
  NULL;
END $body$;
DROP EVENT TRIGGER IF EXISTS pgteal_ddl;
DROP EVENT TRIGGER IF EXISTS pgteal_drop;
CREATE EVENT TRIGGER pgteal_ddl ON ddl_command_end EXECUTE FUNCTION pgteal.log_ddl();
CREATE EVENT TRIGGER pgteal_drop ON sql_drop EXECUTE FUNCTION pgteal.log_ddl();
COMMIT)";

bool HasDdlLog(pg::Connection& blue) {
  return !blue.Exec("SELECT FROM pg_event_trigger WHERE evtname = 'pgteal_ddl'").is_empty();
}

}  // namespace

bool InstallDdlLog(pg::Connection& blue) {
  if (HasDdlLog(blue)) return true;
  try {
    blue.Exec(kInstallSql);
    return true;
  } catch (const pg::ServerError& error) {
    blue.Exec("ROLLBACK");
    if (error.sqlstate() != kNotAllowed) throw;
    return false;
  }
}

bool RemoveDdlLog(pg::Connection& blue) {
  if (!HasDdlLog(blue)) return false;
  blue.Exec(
      "BEGIN; DROP EVENT TRIGGER IF EXISTS pgteal_ddl; DROP EVENT TRIGGER IF EXISTS pgteal_drop;"
      " DROP FUNCTION IF EXISTS pgteal.log_ddl(); DROP TABLE IF EXISTS pgteal.ddl_log; COMMIT");
  const auto left = blue.Exec(
      "SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
      " WHERE n.nspname = 'pgteal' LIMIT 1");
  if (left.is_empty()) blue.Exec("DROP SCHEMA IF EXISTS pgteal");
  return true;
}

std::vector<std::string> ReadDdlLog(pg::Connection& blue) {
  if (!HasDdlLog(blue)) return {};  // another deployment was cleaned up
  const auto rows = blue.Exec(
      "WITH read AS (UPDATE pgteal.ddl_log SET is_reported = true WHERE NOT is_reported"
      " RETURNING id, tag, object, role_name)"
      " SELECT concat_ws(' ', tag, object, 'by role', role_name) FROM read ORDER BY id");
  std::vector<std::string> lines;
  for (int i = 0; i < rows.rows(); ++i) lines.push_back(rows.String(i, 0));
  return lines;
}

}  // namespace pgteal::pipeline
