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
      : deployment_(deployment), options_(options), stop_(stop), watch_(watch) {}

  VerifyResult Run() {
    const auto began = Clock::now();
    result_.is_filtered = !options_.include_tables.empty() || !options_.exclude_tables.empty();
    for (int round = 1; round <= kRoundsMax; ++round) {
      if (round > 1 && !IsAnyPostponed()) break;
      RunRound(round == 1);
    }
    for (auto& table : result_.tables) {
      if (table.is_postponed) table.fault = "rewritten or emptied while it was compared";
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

  void RunRound(bool is_first) {
    Supervisor supervisor;
    std::vector<std::string> locked;
    for (const auto& table : result_.tables) {
      if (table.is_postponed) locked.push_back(pg::QuoteQualified(table.schema, table.name));
    }
    auto pair = TakeSnapshots(deployment_,
                              {.sessions = options_.jobs,
                               .hold_max = options_.hold_max,
                               .stream = options_.stream,
                               .interrupt = &supervisor.interrupt(),
                               .locked_tables = std::move(locked)},
                              stop_);
    auto plan = PlanVerify(*pair.blue.front(), *pair.green.front(), deployment_.name,
                           TableFilter(options_.include_tables, options_.exclude_tables));
    if (!is_first) std::erase_if(plan, [this](const auto& table) { return !IsWanted(table); });
    progress_.snapshot_taken_at = pair.taken_at;
    progress_.lsn = pair.lsn;
    Comparison comparison(plan, ChooseHash(pair), options_.limits, pair, supervisor, progress_);
    auto tables = comparison.Run(stop_, watch_);
    result_.paused = std::max(result_.paused, pair.paused);
    if (is_first) result_.lsn = pair.lsn;
    // What was postponed and is gone now was dropped.
    std::erase_if(result_.tables, [](const auto& table) { return table.is_postponed; });
    std::move(tables.begin(), tables.end(), std::back_inserter(result_.tables));
  }

  void Record() {
    pg::Connection green(deployment_.target,
                         SessionOptionsFor("verify", deployment_.name, nullptr));
    const nlohmann::json detail = {
        {"lsn", result_.lsn.ToString()},       {"tables", result_.tables.size()},
        {"rows", result_.row_count()},         {"differences", result_.difference_count()},
        {"equal", result_.is_equal()},         {"filtered", result_.is_filtered},
        {"paused_ms", result_.paused.count()}, {"took_ms", result_.took.count()}};
    applier::RecordEvent(green, deployment_.name, "verify", detail.dump());
  }

  const Deployment& deployment_;
  const VerifyOptions& options_;
  const std::atomic<bool>& stop_;
  const Comparison::Watch& watch_;
  VerifyProgress progress_;
  VerifyResult result_;
};

}  // namespace

VerifyResult Verify(const Deployment& deployment, const VerifyOptions& options,
                    const std::atomic<bool>& stop, const Comparison::Watch& watch) {
  return Verification(deployment, options, stop, watch).Run();
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
