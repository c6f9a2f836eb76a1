#include "applier/schema.h"

namespace pgteal::applier {
namespace {

// Every table has a primary key: somebody's publication FOR ALL TABLES has them, too, and without a
// key their rows could be neither changed nor deleted.
constexpr const char* kSchemaSql = R"(
CREATE SCHEMA IF NOT EXISTS pgteal;
CREATE TABLE IF NOT EXISTS pgteal.deployment (
  name text PRIMARY KEY,
  state text NOT NULL,
  slot text NOT NULL,
  publication text NOT NULL,
  source_system_identifier text NOT NULL,
  source_timeline bigint NOT NULL,
  source_database text NOT NULL,
  consistent_point pg_lsn,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS pgteal.progress (
  slot text PRIMARY KEY,
  end_lsn pg_lsn NOT NULL,
  commit_time timestamptz,
  written_at timestamptz,
  generation bigint NOT NULL DEFAULT 0,
  transactions bigint NOT NULL DEFAULT 0,
  changes bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()) WITH (fillfactor = 10);
ALTER TABLE pgteal.progress ADD COLUMN IF NOT EXISTS written_at timestamptz;
CREATE TABLE IF NOT EXISTS pgteal.table_state (
  deployment text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  phase text NOT NULL,
  copied_rows bigint NOT NULL DEFAULT 0,
  copied_bytes bigint NOT NULL DEFAULT 0,
  ready_lsn pg_lsn,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (deployment, schema_name, table_name));
CREATE TABLE IF NOT EXISTS pgteal.conflict (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  slot text NOT NULL,
  end_lsn pg_lsn NOT NULL,
  xid bigint NOT NULL,
  relation text NOT NULL,
  operation text NOT NULL,
  reason text NOT NULL,
  resolution text NOT NULL,
  row_data jsonb);
CREATE TABLE IF NOT EXISTS pgteal.event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deployment text NOT NULL,
  kind text NOT NULL,
  detail text NOT NULL);
CREATE TABLE IF NOT EXISTS pgteal.schema_baseline (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment text NOT NULL,
  kind text NOT NULL,
  object text NOT NULL,
  definition text NOT NULL);
ALTER TABLE pgteal.schema_baseline
  ADD COLUMN IF NOT EXISTS id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE TABLE IF NOT EXISTS pgteal.turn (
  deployment text PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 0,
  attempt text,
  phase text,
  way_back text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS pgteal.fence (
  deployment text NOT NULL,
  kind text NOT NULL,
  role text NOT NULL,
  former text,
  PRIMARY KEY (deployment, kind, role));
CREATE TABLE IF NOT EXISTS pgteal.replica_identity (
  deployment text NOT NULL,
  relation text NOT NULL,
  former text NOT NULL,
  PRIMARY KEY (deployment, relation));
CREATE TABLE IF NOT EXISTS pgteal.request (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deployment text NOT NULL,
  kind text NOT NULL,
  state text NOT NULL DEFAULT 'asked',
  lsn pg_lsn,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  answered_at timestamptz);
)";

}  // namespace

bool HasSchema(pg::Connection& green) {
  return !green.Exec("SELECT FROM pg_class WHERE oid = to_regclass('pgteal.event')").is_empty();
}

bool IsSchemaLacking(pg::Connection& green) {
  // A schema that an older pgteal made lacks some.
  const auto lacking = green.Exec(
      "SELECT bool_or(to_regclass('pgteal.' || name) IS NULL) FROM unnest('{deployment, progress,"
      " table_state, conflict, event, turn, fence, replica_identity, schema_baseline, "
      "request}'::text[]) AS name"
      " UNION ALL SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'written_at'"
      " AND attrelid = to_regclass('pgteal.progress'))"
      " UNION ALL SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'id'"
      " AND attrelid = to_regclass('pgteal.schema_baseline'))");
  return lacking.Bool(0, 0) || lacking.Bool(1, 0) || lacking.Bool(2, 0);
}

void EnsureSchema(pg::Connection& green) {
  if (IsSchemaLacking(green)) green.Exec(kSchemaSql);
}

void RecordEvent(pg::Connection& green, const std::string& deployment, const std::string& kind,
                 const std::string& detail) {
  green.Exec("INSERT INTO pgteal.event (deployment, kind, detail) VALUES ($1, $2, $3)",
             {deployment, kind, detail});
}

}  // namespace pgteal::applier
