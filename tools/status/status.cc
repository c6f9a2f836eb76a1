#include "tools/status/status.h"

#include <algorithm>
#include <utility>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pipeline/slot_use.h"
#include "pipeline/turn.h"

namespace pgteal::tools {
namespace {

constexpr size_t kEventsShown = 8;

// What the lag is measured by.
struct Applied {
  std::optional<double> commit_time;  // of the last transaction, seconds since 1970
  int64_t bytes_of_one = 0;           // of WAL for one transaction, on average; 0: unknown
};

Applied ReadProgress(pg::Connection& to, Status* status) {
  const auto row = to.Exec(
      "SELECT d.state, p.end_lsn, p.transactions, p.changes, extract(epoch FROM p.commit_time),"
      " d.consistent_point FROM pgteal.deployment AS d LEFT JOIN pgteal.progress AS p"
      " ON p.slot = d.slot WHERE d.name = $1",
      {status->name});
  if (row.is_empty()) return {};
  status->state = row.String(0, 0);
  if (row.IsNull(0, 1)) return {};
  status->applied_lsn = row.LsnAt(0, 1);
  status->transactions = row.Int(0, 2);
  status->changes = row.Int(0, 3);
  Applied applied;
  if (!row.IsNull(0, 4)) applied.commit_time = std::stod(row.String(0, 4));
  if (!row.IsNull(0, 5) && status->transactions > 0) {
    const uint64_t bytes = status->applied_lsn.value - row.LsnAt(0, 5).value;
    applied.bytes_of_one = static_cast<int64_t>(bytes) / status->transactions;
  }
  return applied;
}

void ReadCopy(pg::Connection& to, Status* status) {
  const auto phases =
      to.Exec("SELECT phase, count(*) FROM pgteal.table_state WHERE deployment = $1 GROUP BY 1",
              {status->name});
  for (int i = 0; i < phases.rows(); ++i) {
    status->phases[phases.String(i, 0)] = phases.Int(i, 1);
  }
  const auto tables = to.Exec(
      "SELECT schema_name || '.' || table_name, phase, copied_rows, copied_bytes"
      " FROM pgteal.table_state WHERE deployment = $1 AND phase <> 'ready' ORDER BY 2, 1",
      {status->name});
  for (int i = 0; i < tables.rows(); ++i) {
    status->unfinished.push_back({.name = tables.String(i, 0),
                                  .phase = tables.String(i, 1),
                                  .rows = tables.Int(i, 2),
                                  .bytes = tables.Int(i, 3)});
  }
}

// Of either side, which keeps what happened while it received.
void ReadHistory(pg::Connection& side, Status* status) {
  status->conflicts +=
      side.Exec("SELECT count(*) FROM pgteal.conflict WHERE slot = $1", {status->name}).Int(0, 0);
  const auto events = side.Exec(
      "SELECT to_char(at, 'YYYY-MM-DD HH24:MI:SS'), kind, detail FROM pgteal.event"
      " WHERE deployment = $1 ORDER BY id DESC LIMIT $2::int",
      {status->name, std::to_string(kEventsShown)});
  for (int i = 0; i < events.rows(); ++i) {
    status->events.push_back(
        {.at = events.String(i, 0), .kind = events.String(i, 1), .detail = events.String(i, 2)});
  }
}

void ShowLastEvents(Status* status) {
  auto& events = status->events;
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.at > b.at; });
  if (events.size() > kEventsShown) events.resize(kEventsShown);
}

void ReadSlot(pg::Connection& from, Status* status) {
  const auto row = from.Exec(
      "SELECT active, coalesce(wal_status, ''), confirmed_flush_lsn,"
      " pg_wal_lsn_diff($2::pg_lsn, restart_lsn)::bigint, safe_wal_size"
      " FROM pg_replication_slots WHERE slot_name = $1",
      {status->name, status->source_lsn.ToString()});
  if (row.is_empty()) return;
  status->slot = {
      .is_active = row.Bool(0, 0) || pipeline::ReadsAhead(from, status->name).has_value(),
      .wal_status = row.String(0, 1),
      .confirmed_flush_lsn = row.IsNull(0, 2) ? pg::Lsn{} : row.LsnAt(0, 2),
      .retained_bytes = row.IsNull(0, 3) ? 0 : row.Int(0, 3),
      .safe_bytes = std::nullopt};
  if (!row.IsNull(0, 4)) status->slot->safe_bytes = row.Int(0, 4);
}

void ReadLag(pg::Connection& from, const Applied& applied, Status* status) {
  const auto row = from.Exec(
      "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
      " ELSE pg_current_wal_flush_lsn() END, extract(epoch FROM clock_timestamp())");
  status->source_lsn = row.LsnAt(0, 0);
  if (!status->applied_lsn.is_valid()) return;
  if (status->source_lsn <= status->applied_lsn) {
    status->lag_bytes = 0;
    status->lag_seconds = 0;
    status->lag_transactions = 0;
    return;
  }
  status->lag_bytes = static_cast<int64_t>(status->source_lsn.value - status->applied_lsn.value);
  if (applied.commit_time) {
    status->lag_seconds = std::max(0.0, std::stod(row.String(0, 1)) - *applied.commit_time);
  }
  if (applied.bytes_of_one > 0) {
    status->lag_transactions = *status->lag_bytes / applied.bytes_of_one;
  }
}

}  // namespace

StatusReader::StatusReader(const pipeline::Deployment& deployment, pg::SessionOptions session)
    : deployment_(deployment), session_(std::move(session)) {}

Status StatusReader::Read() {
  try {
    return Look();
  } catch (const pg::ConnectionLost&) {
    // A session of the look before may be gone with its server, which may be back.
    blue_.reset();
    green_.reset();
    return Look();
  }
}

pg::Connection* StatusReader::Connect(const pg::ConnInfo& info, const char* side,
                                      std::unique_ptr<pg::Connection>* connection, Status* status) {
  try {
    if (!*connection) *connection = std::make_unique<pg::Connection>(info, session_);
  } catch (const pg::ConnectionLost& error) {
    status->unreachable.push_back(std::string(side) + ": " + error.what());
  }
  return connection->get();
}

Status StatusReader::Look() {
  Status status;
  status.name = deployment_.name;
  auto* const blue = Connect(deployment_.source, "blue", &blue_, &status);
  auto* const green = Connect(deployment_.target, "green", &green_, &status);
  for (auto* side : {blue, green}) {
    if (side == nullptr) continue;
    const auto turn = pipeline::ReadTurn(*side, deployment_.name);
    status.epoch = std::max(status.epoch, turn.epoch);
    if (!turn.phase.empty()) status.attempt_phase = turn.phase;
  }
  const bool is_back = status.epoch % 2 == 1;
  status.direction = is_back ? "green to blue" : "blue to green";
  pg::Connection* from = is_back ? green : blue;
  pg::Connection* to = is_back ? blue : green;
  status.is_source_reached = from != nullptr;
  status.is_target_reached = to != nullptr;
  Applied applied;
  if (to != nullptr && applier::HasSchema(*to)) applied = ReadProgress(*to, &status);
  if (from != nullptr) {
    ReadLag(*from, applied, &status);
    ReadSlot(*from, &status);
  }
  for (auto* side : {to, from}) {
    if (side != nullptr && applier::HasSchema(*side)) ReadHistory(*side, &status);
  }
  ShowLastEvents(&status);
  if (green != nullptr && applier::HasSchema(*green)) ReadCopy(*green, &status);
  return status;
}

StatusRates RatesBetween(const Status& before, const Status& now,
                         std::chrono::duration<double> time) {
  StatusRates rates;
  if (time.count() <= 0 || before.epoch != now.epoch) return rates;
  const auto rate = [&time](double delta) { return std::max(0.0, delta) / time.count(); };
  rates.transactions = rate(static_cast<double>(now.transactions - before.transactions));
  rates.changes = rate(static_cast<double>(now.changes - before.changes));
  if (before.source_lsn.is_valid() && now.source_lsn > before.source_lsn) {
    rates.source_bytes = rate(static_cast<double>(now.source_lsn.value - before.source_lsn.value));
  }
  if (before.lag_bytes && now.lag_bytes) {
    const double shrinks = rate(static_cast<double>(*before.lag_bytes - *now.lag_bytes));
    if (shrinks > 0) rates.caught_up_seconds = static_cast<double>(*now.lag_bytes) / shrinks;
  }
  if (now.slot && now.slot->safe_bytes && rates.source_bytes > 0) {
    rates.slot_limit_seconds = static_cast<double>(*now.slot->safe_bytes) / rates.source_bytes;
  }
  return rates;
}

}  // namespace pgteal::tools
