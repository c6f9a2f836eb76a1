#include "pg/catalog.h"

#include <fmt/format.h>

#include <random>

#include "pg/error.h"

namespace pgteal::pg {

std::optional<Slot> FindSlot(Connection& connection, const std::string& name) {
  // invalidation_reason exists in some versions only; to_jsonb makes one text fit all.
  const auto row = connection.Exec(
      "SELECT slot_name, plugin, database, active, active_pid, restart_lsn, confirmed_flush_lsn,"
      " wal_status, to_jsonb(s)->>'invalidation_reason'"
      " FROM pg_replication_slots AS s WHERE slot_name = $1",
      {name});
  if (row.is_empty()) return std::nullopt;
  Slot slot{.name = row.String(0, 0),
            .plugin = row.String(0, 1),
            .database = row.String(0, 2),
            .is_active = row.Bool(0, 3),
            .active_pid = row.IsNull(0, 4) ? 0 : static_cast<int>(row.Int(0, 4)),
            .restart_lsn = {},
            .confirmed_flush_lsn = {},
            .wal_status = row.String(0, 7),
            .invalidation_reason = row.String(0, 8)};
  if (!row.IsNull(0, 5)) slot.restart_lsn = row.LsnAt(0, 5);
  if (!row.IsNull(0, 6)) slot.confirmed_flush_lsn = row.LsnAt(0, 6);
  return slot;
}

void DropSlot(Connection& connection, const std::string& name) {
  connection.Exec("SELECT pg_drop_replication_slot($1)", {name});
}

std::optional<Publication> FindPublication(Connection& connection, const std::string& name) {
  const auto row = connection.Exec(
      "SELECT pubname, puballtables, pubviaroot FROM pg_publication WHERE pubname = $1", {name});
  if (row.is_empty()) return std::nullopt;
  return Publication{
      .name = row.String(0, 0), .all_tables = row.Bool(0, 1), .via_root = row.Bool(0, 2)};
}

std::vector<TableName> PublishedTables(Connection& connection, const std::string& publication) {
  const auto rows = connection.Exec(
      "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1, 2",
      {publication});
  std::vector<TableName> tables;
  for (int i = 0; i < rows.rows(); ++i) tables.push_back({rows.String(i, 0), rows.String(i, 1)});
  return tables;
}

SameServer CompareServers(Connection& a, Connection& b) {
  std::random_device random;
  const int32_t high = static_cast<int32_t>(random() >> 1);
  const int32_t low = static_cast<int32_t>(random() >> 1);
  a.Exec(fmt::format("SELECT pg_advisory_lock({}, {})", high, low));
  const auto seen = b.Exec(fmt::format(
      "SELECT database = (SELECT oid FROM pg_database WHERE datname = current_database())"
      " FROM pg_locks WHERE locktype = 'advisory' AND classid = {} AND objid = {}",
      high, low));
  a.Exec(fmt::format("SELECT pg_advisory_unlock({}, {})", high, low));
  if (seen.is_empty()) return SameServer::kNo;
  return seen.Bool(0, 0) ? SameServer::kSameDatabase : SameServer::kSameServer;
}

void FlushPast(Connection& connection, Lsn flush_lsn) {
  constexpr uint64_t kPageBytesMin = 1024;  // whatever wal_block_size is
  if (flush_lsn.value % kPageBytesMin != 0) return;
  // A commit is waited for if it has a transaction id and something was written before its record.
  // A message that is not transactional leaves it an empty one, which no stream has: a switchover
  // counts transactions.
  connection.Exec(
      "SET LOCAL synchronous_commit = local; SELECT CASE WHEN NOT pg_is_in_recovery() THEN"
      " pg_logical_emit_message(false, 'pgteal', '') END,"
      " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END");
}

void MakeCommitsDurable(Connection& connection) {
  connection.Exec(
      "SELECT set_config('synchronous_commit', 'local', false)"
      " WHERE current_setting('synchronous_commit') = 'off'");
}

bool IsInRecovery(Connection& connection) {
  return connection.Exec("SELECT pg_is_in_recovery()").Bool(0, 0);
}

bool MaySetReplicaRole(Connection& connection) {
  // Trying is the only way that is right in every version (superuser before 15, SET privilege
  // since) and on managed services.
  try {
    connection.Exec("SET session_replication_role = replica; RESET session_replication_role");
    return true;
  } catch (const ServerError& error) {
    if (error.sqlstate() != "42501") throw;
    return false;
  }
}

bool MayUseOrigins(Connection& connection) {
  return connection
      .Exec(
          "SELECT has_function_privilege('pg_replication_origin_session_setup(text)', 'EXECUTE')"
          " AND has_function_privilege('pg_replication_origin_create(text)', 'EXECUTE')"
          " AND has_function_privilege('pg_replication_origin_xact_setup(pg_lsn, timestamptz)',"
          " 'EXECUTE') AND has_function_privilege('pg_replication_origin_oid(text)', 'EXECUTE')")
      .Bool(0, 0);
}

std::string Setting(Connection& connection, const std::string& name) {
  return connection.Exec("SELECT current_setting($1, true)", {name}).String(0, 0);
}

}  // namespace pgteal::pg
