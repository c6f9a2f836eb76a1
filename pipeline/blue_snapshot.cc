#include "pipeline/blue_snapshot.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <thread>

#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// A transaction that ends within it is not worth waiting for beforehand.
constexpr milliseconds kMoment{300};
constexpr milliseconds kPoll{50};
constexpr std::chrono::seconds kWarnInterval{10};

using Writers = std::map<std::string, std::string>;  // virtual transaction -> who it is

// Every transaction with an id holds a lock on it; a prepared one has no process.
Writers FindWriters(pg::Connection& blue) {
  const auto rows = blue.Exec(
      "SELECT l.virtualtransaction, CASE WHEN l.pid IS NULL THEN 'a prepared transaction'"
      " ELSE pg_catalog.format('process %s%s', l.pid, coalesce(' (' || nullif(a.application_name,"
      " '') || ')', '')) END FROM pg_catalog.pg_locks AS l"
      " LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid"
      " WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted");
  Writers writers;
  for (int i = 0; i < rows.rows(); ++i) writers.emplace(rows.String(i, 0), rows.String(i, 1));
  return writers;
}

std::string Names(const Writers& writers) {
  std::string names;
  for (const auto& [transaction, who] : writers) names += (names.empty() ? "" : ", ") + who;
  return names;
}

}  // namespace

void LockTables(pg::Connection& session, const std::vector<std::string>& tables) {
  for (const auto& table : tables) {
    session.Exec("SAVEPOINT lock_table");
    try {
      session.Exec("SET LOCAL lock_timeout = '200ms'; LOCK TABLE " + table +
                   " IN ACCESS SHARE MODE; SET LOCAL lock_timeout = 0; RELEASE lock_table");
    } catch (const pg::ServerError& error) {
      spdlog::debug("{} is not locked: {}", table, error.what());
      session.Exec("ROLLBACK TO SAVEPOINT lock_table; RELEASE lock_table");
    }
  }
}

void ImportSnapshot(std::span<const std::unique_ptr<pg::Connection>> sessions,
                    std::string_view snapshot) {
  for (const auto& session : sessions) {
    session->Exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " +
                  pg::QuoteLiteral(snapshot));
  }
}

BlueSnapshot::BlueSnapshot(const pg::ConnInfo& source, const pg::SessionOptions& session)
    : stream_(source, session) {}

std::optional<pg::Lsn> BlueSnapshot::Take(const std::string& slot, const Sessions& sessions,
                                          pg::Deadline deadline) {
  try {
    const auto created = stream_.CreateSlot(slot, true, true, deadline);
    ImportSnapshot(sessions, created.snapshot);
    return created.consistent_point;
  } catch (const pg::ConnectionLost&) {
    if (deadline && Clock::now() >= *deadline) return std::nullopt;
    throw;
  }
}

void AwaitWriters(pg::Connection& blue, const applier::SideNames& sides,
                  const std::atomic<bool>& stop) {
  Writers left = FindWriters(blue);
  const auto began = Clock::now();
  auto next_warning = began + kMoment;
  while (!left.empty()) {
    if (stop.load(std::memory_order_acquire)) throw pg::Interrupted();
    std::this_thread::sleep_for(kPoll);
    const Writers now = FindWriters(blue);
    std::erase_if(left, [&now](const auto& writer) { return !now.contains(writer.first); });
    if (left.empty() || Clock::now() < next_warning) continue;
    next_warning = Clock::now() + kWarnInterval;
    spdlog::warn("a snapshot of {} has to wait for the end of transactions that write: {}",
                 sides.blue, Names(left));
  }
}

}  // namespace pgteal::pipeline
