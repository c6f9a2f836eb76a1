#include "pipeline/verify.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "applier/schema.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/table_filter.h"
#include "pipeline/turn.h"
#include "pipeline/verify_notes.h"

namespace pgteal::pipeline {
namespace {

// A table that is rewritten each time is given up.
constexpr int kRoundsMax = 10;

TextHash ChooseHash(const SnapshotPair& pair) {
  constexpr const char* kSql =
      "SELECT hashtextextended('pgteal' COLLATE \"C\", 0), current_setting('server_encoding')";
  const auto blue = pair.blue.front()->Exec(kSql);
  const auto green = pair.green.front()->Exec(kSql);
  const bool is_alike = blue.Text(0, 0) == green.Text(0, 0) && blue.Text(0, 1) == green.Text(0, 1);
  return is_alike ? TextHash::kNative : TextHash::kMd5;
}

class Verification {
 public:
  Verification(const Deployment& deployment, const VerifyOptions& options,
               const std::atomic<bool>& stop, const Comparison::Watch& watch)
      : deployment_(deployment), options_(options), stop_(stop), watch_(watch) {
    result_.names = deployment.sides;
  }

  VerifyResult Run() {
    const auto began = Clock::now();
    result_.is_filtered = !options_.include_tables.empty() || !options_.exclude_tables.empty();
    for (int round = 1; round <= kRoundsMax; ++round) {
      if (round > 1 && !IsAnyPostponed()) break;
      RunRound(round == 1);
    }
    for (auto& table : result_.tables) {
      if (table.is_postponed) table.fault = "rewritten or emptied whenever it was compared";
    }
    if (options_.repair && result_.difference_count() > 0) Repair();
    for (auto& table : result_.tables) {
      const size_t shown = std::min(table.differences.size(), options_.limits.differences_max);
      table.differences.resize(shown);
    }
    result_.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    Record();
    return std::move(result_);
  }

 private:
  bool IsAnyPostponed() const {
    return std::any_of(result_.tables.begin(), result_.tables.end(),
                       [](const auto& table) { return table.is_postponed; });
  }

  bool IsWanted(const VerifyTable& table) const {
    return std::any_of(result_.tables.begin(), result_.tables.end(), [&table](const auto& known) {
      return known.is_postponed && known.schema == table.schema && known.name == table.name;
    });
  }

  // "Equal" must not be said of nothing.
  void RequireWanted(const std::vector<VerifyTable>& plan) const {
    if (!result_.is_filtered) return;
    std::vector<pg::TableName> tables;
    for (const auto& table : plan) tables.push_back({.schema = table.schema, .name = table.name});
    RequireMatches("--include-table", options_.include_tables, tables,
                   "published table to compare");
    if (!plan.empty()) return;
    throw pg::ConfigError("--exclude-table leaves no table to compare",
                          "Make its patterns narrower.");
  }

  // Quoted.
  std::vector<std::string> Postponed() const {
    std::vector<std::string> names;
    for (const auto& table : result_.tables) {
      if (table.is_postponed) names.push_back(pg::QuoteQualified(table.schema, table.name));
    }
    return names;
  }

  void RunRound(bool is_first) {
    Supervisor supervisor;
    // Nothing is in hand that a server should have time for.
    const StuckWatch stuck(stop_, supervisor, std::chrono::milliseconds(0));
    auto pair = TakeSnapshots(deployment_, SnapshotOptionsFor(supervisor), stop_);
    auto& blue = *pair.blue.front();
    auto& green = *pair.green.front();
    auto plan =
        PlanVerify(blue, green, deployment_.name,
                   TableFilter(options_.include_tables, options_.exclude_tables), result_.names);
    if (is_first) RequireWanted(plan);
    if (!is_first) std::erase_if(plan, [this](const auto& table) { return !IsWanted(table); });
    progress_.snapshot_taken_at = pair.taken_at;
    progress_.lsn = pair.lsn;
    Comparison comparison(plan, ChooseHash(pair), Limits(), pair, supervisor, progress_);
    auto tables = comparison.Run(stop_, watch_);
    result_.paused = std::max(result_.paused, pair.paused);
    if (is_first) {
      result_.lsn = pair.lsn;
      auto found = FindBeyondRows(blue, green, plan, result_.names, deployment_.name);
      result_.faults = std::move(found.faults);
      result_.notes = std::move(found.notes);
    }
    // What was postponed and is gone now was dropped.
    std::erase_if(result_.tables, [](const auto& table) { return table.is_postponed; });
    std::move(tables.begin(), tables.end(), std::back_inserter(result_.tables));
    std::move(plan.begin(), plan.end(), std::back_inserter(plan_));
  }

  SnapshotOptions SnapshotOptionsFor(Supervisor& supervisor) const {
    return {.sessions = options_.jobs,
            .hold_max = options_.hold_max,
            .stream = options_.stream,
            .interrupt = &supervisor.interrupt(),
            .locked_tables = Postponed()};
  }

  // A repair has to know every row that differs.
  CompareLimits Limits() const {
    auto limits = options_.limits;
    if (options_.repair) {
      limits.differences_max = std::max<size_t>(limits.differences_max, options_.repair_rows_max);
    }
    return limits;
  }

  void Repair() {
    uint64_t count = 0;
    std::vector<RepairTable> tables;
    for (const auto& table : result_.tables) {
      if (table.difference_count() == 0) continue;
      count += table.is_exact ? table.difference_count() : options_.repair_rows_max + 1;
      // A table that was postponed is in it again, as of the snapshot that it was compared on.
      const auto plan = std::find_if(plan_.rbegin(), plan_.rend(), [&table](const auto& known) {
        return known.schema == table.schema && known.name == table.name;
      });
      tables.push_back({.plan = &*plan, .differences = &table.differences});
    }
    if (count > options_.repair_rows_max) {
      result_.repair_refusal =
          fmt::format("more rows differ than may be repaired ({})", options_.repair_rows_max);
      return;
    }
    Supervisor supervisor;
    const StuckWatch stuck(stop_, supervisor);
    auto snapshot_options = SnapshotOptionsFor(supervisor);
    snapshot_options.sessions = 1;
    snapshot_options.locked_tables.clear();
    result_.repair = RepairRows(deployment_, snapshot_options, tables, stop_);
  }

  void Record() {
    pg::Connection green(deployment_.target,
                         SessionOptionsFor("verify", deployment_.name, nullptr));
    const nlohmann::json detail = {{"lsn", result_.lsn.ToString()},
                                   {"tables", result_.tables.size()},
                                   {"rows", result_.row_count()},
                                   {"differences", result_.difference_count()},
                                   {"equal", result_.is_equal()},
                                   {"filtered", result_.is_filtered},
                                   {"paused_ms", result_.paused.count()},
                                   {"took_ms", result_.took.count()},
                                   {"repaired", result_.repair ? result_.repair->repaired : 0}};
    applier::RecordEvent(green, deployment_.name, "verify", detail.dump());
  }

  const Deployment& deployment_;
  const VerifyOptions& options_;
  const std::atomic<bool>& stop_;
  const Comparison::Watch& watch_;
  VerifyProgress progress_;
  std::vector<VerifyTable> plan_;  // of all rounds
  VerifyResult result_;
};

}  // namespace

VerifyResult Verify(const Deployment& deployment, const VerifyOptions& options,
                    const std::atomic<bool>& stop, const Comparison::Watch& watch) {
  const auto session = SessionOptionsFor("verify", deployment.name, nullptr);
  const auto oriented = Oriented(deployment, CurrentEpoch(deployment, session));
  return Verification(oriented, options, stop, watch).Run();
}

std::optional<VerifyRecord> LastVerify(pg::Connection& green, const std::string& deployment) {
  const auto row = green.Exec(
      "SELECT (detail::jsonb->>'lsn')::pg_lsn, (detail::jsonb->>'equal')::bool,"
      " (detail::jsonb->>'filtered')::bool, extract(epoch FROM clock_timestamp() - at)::int8"
      " FROM pgteal.event WHERE deployment = $1 AND kind = 'verify' ORDER BY id DESC LIMIT 1",
      {deployment});
  if (row.is_empty()) return std::nullopt;
  return VerifyRecord{.lsn = row.LsnAt(0, 0),
                      .age = std::chrono::seconds(row.Int(0, 3)),
                      .is_equal = row.Bool(0, 1),
                      .is_filtered = row.Bool(0, 2)};
}

}  // namespace pgteal::pipeline
