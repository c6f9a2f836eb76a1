#include "pipeline/load_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pipeline/source_identity.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::seconds;

constexpr seconds kInterval{1};
constexpr seconds kRetentionWarningInterval{60};
// A warning is due when blue's WAL would outgrow its limit within this time.
constexpr double kWarnSeconds = 4 * 3600;

std::string Hours(double seconds_left) {
  if (seconds_left < 90) return fmt::format("{:.0f} seconds", seconds_left);
  if (seconds_left < 5400) return fmt::format("{:.0f} minutes", seconds_left / 60);
  return fmt::format("{:.1f} hours", seconds_left / 3600);
}

}  // namespace

LoadWatch::LoadWatch(const Deployment& deployment, const pg::Interrupt& interrupt)
    : deployment_(deployment),
      interrupt_(interrupt),
      writers_(deployment),
      next_look_(Clock::now() + kInterval) {}

void LoadWatch::Look(LoadProgress& progress) {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kInterval;
  const LoadPhase phase = progress.phase();  // before the servers are asked
  try {
    const auto session = SessionOptionsFor("watch", deployment_.name, &interrupt_);
    if (!blue_) blue_ = std::make_unique<pg::Connection>(deployment_.source, session);
    if (!green_) green_ = std::make_unique<pg::Connection>(deployment_.target, session);
    RequireSlot(phase);
    WarnOfWaitingDdl();
    WarnOfRetention();
    PublishFigures(progress);
    LookAtBuilds(progress);
    if (applier::HasSchema(*green_)) writers_.Look(*green_);
  } catch (const pg::Refused&) {
    throw;
  } catch (const pg::Error& error) {
    spdlog::debug("the load is not watched for the moment: {}", error.what());
    blue_.reset();
    green_.reset();
  }
}

void LoadWatch::RequireSlot(LoadPhase phase) {
  const auto slot = pg::FindSlot(*blue_, deployment_.name);
  if (!slot && phase > LoadPhase::kSlot) {
    throw pg::Refused(
        deployment_.sides.Format("slot {} has been dropped on blue", deployment_.name),
        "What was committed since is in no stream. Run `pgteal cleanup` and begin anew.");
  }
  if (slot) RequireKeptSlot(*slot, deployment_.sides);
}

// They hold up everybody who comes after them.
void LoadWatch::WarnOfWaitingDdl() {
  const auto rows = blue_->Exec(
      "SELECT w.pid, w.usename, c.relname, l.mode,"
      " extract(epoch FROM clock_timestamp() - coalesce(l.waitstart, clock_timestamp()))::int"
      " FROM pg_locks AS l JOIN pg_stat_activity AS w ON w.pid = l.pid"
      " JOIN pg_class AS c ON c.oid = l.relation"
      " WHERE NOT l.granted AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'"
      " AND EXISTS (SELECT 1 FROM unnest(pg_blocking_pids(l.pid)) AS b(pid)"
      "   JOIN pg_stat_activity AS o ON o.pid = b.pid WHERE o.application_name IN ($1, $2))",
      {SessionOptionsFor("lock", deployment_.name, nullptr).application_name,
       SessionOptionsFor("copy", deployment_.name, nullptr).application_name});
  for (int i = 0; i < rows.rows(); ++i) {
    if (!warned_.insert(rows.String(i, 0) + " " + rows.String(i, 2)).second) continue;
    spdlog::warn(
        "{}",
        deployment_.sides.Format(
            "on blue pid {} ({}) waits to change or empty table {} until it is copied, and whoever "
            "wants the table waits behind it: cancel it with SELECT pg_cancel_backend({}), or stop "
            "this load",
            rows.Text(i, 0), rows.Text(i, 1), rows.Text(i, 2), rows.Text(i, 0)));
  }
}

void LoadWatch::WarnOfRetention() {
  const auto row = blue_->Exec(
      "SELECT wal_status, safe_wal_size, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint"
      " FROM pg_replication_slots WHERE slot_name = $1",
      {deployment_.name});
  if (row.is_empty() || row.IsNull(0, 1)) return;  // no limit: only the disk is one
  const auto now = Clock::now();
  const int64_t safe = row.Int(0, 1);
  const double passed = std::chrono::duration<double>(now - last_retention_).count();
  const double rate = static_cast<double>(last_safe_bytes_ - safe) / passed;
  const bool has_rate = last_retention_ != Clock::time_point{} && rate > 0;
  last_retention_ = now;
  last_safe_bytes_ = safe;
  const bool is_near = row.Text(0, 0) != "reserved";
  const double left = has_rate ? std::max(0.0, static_cast<double>(safe) / rate) : 1e9;
  if ((!is_near && left > kWarnSeconds) || now < next_retention_warning_) return;
  next_retention_warning_ = now + kRetentionWarningInterval;
  spdlog::warn("{}", deployment_.sides.Format("blue keeps {} MB of WAL for slot {} (wal_status {}) "
                                              "and gives up after {} MB more{}: raise "
                                              "max_slot_wal_keep_size on blue",
                                              row.Int(0, 2) >> 20, deployment_.name, row.Text(0, 0),
                                              std::max<int64_t>(safe, 0) >> 20,
                                              has_rate ? ", at this rate in " + Hours(left) : ""));
}

void LoadWatch::PublishFigures(const LoadProgress& progress) {
  for (const auto* table : progress.tables()) {
    if (!table->is_started.load() || table->is_done.load()) continue;
    green_->Exec(
        "UPDATE pgteal.table_state SET copied_rows = $3, copied_bytes = $4"
        " WHERE deployment = $1 AND schema_name || '.' || table_name = $2 AND phase = 'copying'",
        {deployment_.name, table->name, std::to_string(table->rows.load()),
         std::to_string(table->bytes.load())});
  }
}

void LoadWatch::LookAtBuilds(LoadProgress& progress) {
  // An index that is being made is in nobody else's catalog yet: its name is in the statement.
  const auto rows = green_->Exec(
      "SELECT coalesce(substring(a.query FROM"
      " 'CREATE (?:UNIQUE )?INDEX (\"(?:[^\"]|\"\")+\"|[^ ]+) ON '), ''),"
      " t.relname, p.phase, p.blocks_done, p.blocks_total,"
      " p.tuples_done, p.tuples_total FROM pg_stat_progress_create_index AS p"
      " JOIN pg_class AS t ON t.oid = p.relid LEFT JOIN pg_stat_activity AS a ON a.pid = p.pid"
      " WHERE p.datname = current_database() ORDER BY p.pid");
  std::vector<IndexBuild> builds;
  for (int i = 0; i < rows.rows(); ++i) {
    // Scanning counts blocks, sorting and loading count tuples.
    const bool has_blocks = rows.Int(i, 4) > 0;
    builds.push_back({.table = rows.String(i, 1),
                      .index = rows.String(i, 0),
                      .step = rows.String(i, 2),
                      .done = static_cast<uint64_t>(rows.Int(i, has_blocks ? 3 : 5)),
                      .total = static_cast<uint64_t>(rows.Int(i, has_blocks ? 4 : 6))});
  }
  progress.SetBuilds(std::move(builds));
}

}  // namespace pgteal::pipeline
