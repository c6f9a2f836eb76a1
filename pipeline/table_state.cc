#include "pipeline/table_state.h"

#include <spdlog/spdlog.h>

#include "applier/schema.h"
#include "pg/quote.h"
#include "pipeline/membership.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {
namespace {

std::set<TableKey> ReadUnfinished(pg::Connection& green, const std::string& name,
                                  const std::string& condition) {
  const auto rows = green.Exec(
      "SELECT s.schema_name, s.table_name FROM pgteal.table_state AS s"
      " JOIN pgteal.deployment AS d ON d.name = s.deployment"
      " WHERE d.name = $1 AND s.phase NOT IN ('copied', 'ready')" +
          condition,
      {name});
  std::set<TableKey> keys;
  for (int i = 0; i < rows.rows(); ++i) keys.emplace(rows.String(i, 0), rows.String(i, 1));
  return keys;
}

}  // namespace

std::string ReloadName(const TableKey& key) {
  const bool is_plain = key.first.find_first_of(".\"") == std::string::npos;
  return (is_plain ? key.first : pg::QuoteIdentifier(key.first)) + "." + key.second;
}

std::map<TableKey, TableState> ReadTableStates(pg::Connection& green, const std::string& name) {
  std::map<TableKey, TableState> states;
  const auto rows = green.Exec(
      "SELECT schema_name, table_name, phase, ready_lsn FROM pgteal.table_state"
      " WHERE deployment = $1",
      {name});
  for (int i = 0; i < rows.rows(); ++i) {
    TableState state{.phase = rows.String(i, 2), .ready_lsn = std::nullopt};
    if (!rows.IsNull(i, 3)) state.ready_lsn = rows.LsnAt(i, 3);
    states[{rows.String(i, 0), rows.String(i, 1)}] = state;
  }
  return states;
}

std::set<TableKey> KeysOf(const std::vector<PlannedTable>& plan) {
  std::set<TableKey> keys;
  for (const auto& table : plan) keys.emplace(table.schema, table.name);
  return keys;
}

PlannedTable LargeObjectsRow() { return {.schema = "pg_catalog", .name = "pg_largeobject"}; }

std::set<TableKey> ReadUncopied(pg::Connection& green, const std::string& name) {
  std::set<TableKey> keys;
  for (const auto& [key, table] : ReadTableStates(green, name)) {
    if (!IsCopied(table)) keys.insert(key);
  }
  keys.erase({LargeObjectsRow().schema, LargeObjectsRow().name});
  return keys;
}

void AddTableStates(pg::Connection& green, const std::string& name,
                    const std::vector<PlannedTable>& plan) {
  for (const auto& table : plan) {
    green.Exec(
        "INSERT INTO pgteal.table_state (deployment, schema_name, table_name, phase)"
        " VALUES ($1, $2, $3, 'pending') ON CONFLICT DO NOTHING",
        {name, table.schema, table.name});
  }
}

void ForgetTableStates(pg::Connection& side, const std::string& name) {
  side.Exec("DELETE FROM pgteal.table_state WHERE deployment = $1", {name});
}

void SetCopying(pg::Connection& green, const std::string& name, const PlannedTable& table) {
  green.Exec(
      "UPDATE pgteal.table_state SET phase = 'copying', copied_rows = 0, copied_bytes = 0,"
      " updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND schema_name = $2 AND table_name = $3",
      {name, table.schema, table.name});
}

void SetEmptied(pg::Connection& green, const std::string& name, const PlannedTable& table) {
  green.Exec(
      "UPDATE pgteal.table_state SET phase = 'copying', ready_lsn = NULL,"
      " updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND schema_name = $2 AND table_name = $3",
      {name, table.schema, table.name});
}

bool IsCopied(const std::map<TableKey, TableState>& states, const PlannedTable& table) {
  const auto found = states.find({table.schema, table.name});
  return found != states.end() && IsCopied(found->second);
}

void SetCopied(pg::Connection& green, const std::string& name, const PlannedTable& table,
               pg::Lsn ready_lsn, uint64_t rows, uint64_t bytes) {
  green.Exec(
      "UPDATE pgteal.table_state SET phase = 'copied', ready_lsn = $4, copied_rows = $5,"
      " copied_bytes = $6, updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND schema_name = $2 AND table_name = $3",
      {name, table.schema, table.name, ready_lsn.ToString(), std::to_string(rows),
       std::to_string(bytes)});
}

std::set<TableKey> UnfinishedReloads(pg::Connection& blue, pg::Connection& green,
                                     const std::string& name) {
  constexpr const char* kLoaded = " AND d.state NOT IN ('schema', 'copying', 'indexing')";
  auto unfinished = ReadUnfinished(green, name, kLoaded);
  if (unfinished.empty()) return unfinished;
  const auto published = SentTables(ReadMembership(blue, name));
  std::erase_if(unfinished, [&](const TableKey& key) { return !published.contains(key); });
  return unfinished;
}

void ForgetVanished(pg::Connection& blue, pg::Connection& green, const Deployment& deployment) {
  const auto& name = deployment.name;
  const auto unfinished = ReadUnfinished(green, name, "");
  if (unfinished.empty()) return;
  const auto published = SentTables(ReadMembership(blue, name));
  for (const auto& key : unfinished) {
    if (published.contains(key)) continue;
    green.Exec(
        "DELETE FROM pgteal.table_state"
        " WHERE deployment = $1 AND schema_name = $2 AND table_name = $3",
        {name, key.first, key.second});
    spdlog::warn("{}", deployment.sides.Format(
                           "table {}.{} is gone from blue's publication: green's is left as it is",
                           key.first, key.second));
  }
}

void SetAllReady(pg::Connection& green, const std::string& name) {
  green.Exec(
      "UPDATE pgteal.table_state SET phase = 'ready', updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND phase = 'copied'",
      {name});
}

std::string DeploymentState(pg::Connection& green, const std::string& name) {
  if (!applier::HasSchema(green)) return "";
  const auto query = DeploymentStateQuery(name);
  return DeploymentStateFrom(green.Exec(query.sql, query.params));
}

pg::Connection::Query DeploymentStateQuery(const std::string& name) {
  return {"SELECT state FROM pgteal.deployment WHERE name = $1", {name}};
}

std::string DeploymentStateFrom(const pg::Result& row) {
  return row.is_empty() ? "" : row.String(0, 0);
}

void SetDeploymentState(pg::Connection& green, const std::string& name, const std::string& state) {
  green.Exec("UPDATE pgteal.deployment SET state = $2 WHERE name = $1", {name, state});
}

}  // namespace pgteal::pipeline
