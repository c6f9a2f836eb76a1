#include "pipeline/verify_compare.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

// Pieces small enough that all sessions end at about the same time, and that a lock on a large
// table is let go of now and then.
constexpr uint64_t kPieceBytesMin = 16 << 20;
constexpr uint64_t kPieceBytesMax = 256 << 20;
constexpr uint64_t kPiecesPerSession = 8;
// Only to choose the number of buckets.
constexpr uint64_t kRowsPerPage = 50;
constexpr std::chrono::milliseconds kTick{100};

uint64_t PieceBytes(const std::vector<VerifyTable>& plan, size_t sessions, uint64_t rate) {
  uint64_t total = 0;
  for (const auto& table : plan) total += table.bytes() / 2;
  const uint64_t piece =
      std::clamp(total / (sessions * kPiecesPerSession), kPieceBytesMin, kPieceBytesMax);
  return rate > 0 ? std::min(piece, rate) : piece;
}

uint32_t BucketsFor(const VerifyTable& table) {
  uint64_t most = 0;
  for (const auto& units : table.units) {
    uint64_t pages = 0;
    for (const auto& unit : units) pages += std::max(unit.pages, unit.bytes >> 13);
    most = std::max(most, pages);
  }
  return BucketCountFor(most * kRowsPerPage);
}

// The table is not what it was when the snapshot was taken, or cannot be had now.
bool IsPassing(const pg::ServerError& error) {
  constexpr std::array kStates = {"42P01", "42703", "3F000", "55P03"};
  return std::find(kStates.begin(), kStates.end(), error.sqlstate()) != kStates.end();
}

}  // namespace

struct Comparison::Table {
  // One look at all rows tells that nothing differs; only then where, and only then what.
  enum class Phase : uint8_t { kTotal, kBuckets, kRows };

  Table(const VerifyTable& table, TextHash hash, uint32_t buckets)
      : plan(table),
        sql{VerifySql(table, Side::kBlue, hash, buckets),
            VerifySql(table, Side::kGreen, hash, buckets)},
        totals{BucketSums(1), BucketSums(1)},
        sums{BucketSums(buckets), BucketSums(buckets)} {}

  std::string Sql(Side side, const VerifyTask& task) const {
    const auto& make = sql[static_cast<size_t>(side)];
    const auto& unit = plan.side(side)[task.unit];
    if (phase == Phase::kTotal) return make.Total(unit, task.pages);
    return phase == Phase::kBuckets ? make.Buckets(unit, task.pages)
                                    : make.Rows(unit, task.pages, different.buckets);
  }

  const VerifyTable& plan;
  const VerifySql sql[2];  // by Side
  std::vector<VerifyTask> tasks[2];
  size_t open = 0;  // tasks of this phase, on both sides
  Phase phase = Phase::kTotal;
  BucketSums totals[2];
  BucketSums sums[2];
  DifferentBuckets different;
  std::vector<VerifyRow> rows[2];
  std::atomic<bool> is_postponed = false;
  TableResult result;
};

Comparison::Comparison(const std::vector<VerifyTable>& plan, TextHash hash,
                       const CompareLimits& limits, SnapshotPair& pair, Supervisor& supervisor,
                       VerifyProgress& progress)
    : plan_(plan),
      limits_(limits),
      pair_(pair),
      supervisor_(supervisor),
      progress_(progress),
      queue_(limits.bytes_per_second_max) {
  for (const auto& table : plan_) {
    tables_.push_back(std::make_unique<Table>(table, hash, BucketsFor(table)));
    auto& result = tables_.back()->result;
    result.schema = table.schema;
    result.name = table.name;
    result.lsn = pair.lsn;
    result.fault = table.fault;
    result.notes = table.notes;
    for (const size_t key : table.key) result.key_columns.push_back(table.columns[key].name);
  }
}

Comparison::~Comparison() = default;

std::vector<TableResult> Comparison::Run(const std::atomic<bool>& stop, const Watch& watch) {
  std::vector<size_t> order(plan_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [this](size_t a, size_t b) { return plan_[a].bytes() > plan_[b].bytes(); });
  progress_.tables_total += plan_.size();
  open_tables_ = plan_.size();
  const uint64_t piece = PieceBytes(plan_, pair_.blue.size(), limits_.bytes_per_second_max);
  for (const size_t at : order) AddTable(at, piece);
  {
    std::vector<std::jthread> threads;
    for (const auto& session : pair_.blue) {
      threads.push_back(supervisor_.Start([&] { Work(Side::kBlue, *session); }));
    }
    for (const auto& session : pair_.green) {
      threads.push_back(supervisor_.Start([&] { Work(Side::kGreen, *session); }));
    }
    while (open_tables_ > 0 && !supervisor_.has_failed() && !stop.load(std::memory_order_acquire)) {
      watch(progress_);
      supervisor_.wake().Wait(Clock::now() + kTick);
    }
    if (open_tables_ > 0) supervisor_.interrupt().Raise();
    queue_.Close();
  }
  supervisor_.RethrowFailure();
  if (open_tables_ > 0) throw pg::Interrupted();
  std::vector<TableResult> results;
  for (const auto& table : tables_) results.push_back(std::move(table->result));
  return results;
}

void Comparison::AddTable(size_t at, uint64_t piece_bytes) {
  auto& table = *tables_[at];
  for (const Side side : {Side::kBlue, Side::kGreen}) {
    auto& tasks = table.tasks[static_cast<size_t>(side)];
    if (table.plan.fault.empty()) tasks = SplitUnits(table.plan.side(side), at, piece_bytes);
    table.open += tasks.size();
    progress_.bytes_total +=
        std::accumulate(tasks.begin(), tasks.end(), uint64_t{0},
                        [](uint64_t sum, const VerifyTask& task) { return sum + task.bytes; });
  }
  if (table.open == 0) return Done();
  for (const Side side : {Side::kBlue, Side::kGreen}) {
    queue_.Add(side, table.tasks[static_cast<size_t>(side)]);
  }
}

void Comparison::Work(Side side, pg::Connection& session) {
  while (const auto task = queue_.Next(side)) {
    auto& table = *tables_[task->table];
    pg::Result result;
    if (!table.is_postponed && !Read(side, session, *task, table.Sql(side, *task), &result)) {
      table.is_postponed = true;
    }
    Take(side, *task, result);
  }
}

// False when the snapshot cannot show the table any more. Locks are let go of at the end, so that
// DDL waits for a piece of a table at most.
bool Comparison::Read(Side side, pg::Connection& session, const VerifyTask& task,
                      const std::string& sql, pg::Result* result) {
  bool is_shown = true;
  session.Exec("SAVEPOINT piece; SET LOCAL lock_timeout = '10s'");
  try {
    const auto& unit = plan_[task.table].side(side)[task.unit];
    is_shown = session.Exec(LockUnitSql(unit)).Bool(0, 0);
    if (is_shown) *result = session.Exec(sql);
  } catch (pg::ServerError& error) {
    if (!IsPassing(error)) {
      error.AddContext(fmt::format("comparing {} on {}", plan_[task.table].display_name(),
                                   side == Side::kBlue ? pair_.sides.blue : pair_.sides.green));
      throw;
    }
    is_shown = false;
  }
  session.Exec("ROLLBACK TO SAVEPOINT piece; RELEASE SAVEPOINT piece");
  return is_shown;
}

void Comparison::Take(Side side, const VerifyTask& task, const pg::Result& result) {
  auto& table = *tables_[task.table];
  const auto at = static_cast<size_t>(side);
  std::vector<VerifyRow> rows;
  if (table.phase == Table::Phase::kRows) ReadRows(result, table.plan, &rows);
  bool is_last = false;
  {
    const std::lock_guard lock(mutex_);
    switch (table.phase) {
      case Table::Phase::kTotal: {
        const uint64_t before = table.totals[at].rows();
        table.totals[at].Add(result);
        progress_.rows_done += table.totals[at].rows() - before;
        progress_.bytes_done += task.bytes;
        break;
      }
      case Table::Phase::kBuckets:
        table.sums[at].Add(result);
        break;
      case Table::Phase::kRows:
        std::move(rows.begin(), rows.end(), std::back_inserter(table.rows[at]));
        break;
    }
    is_last = --table.open == 0;
  }
  if (is_last) EndPhase(task.table);
}

// By the thread that took the last piece: nobody else looks at the table now.
void Comparison::EndPhase(size_t at) {
  auto& table = *tables_[at];
  if (table.is_postponed) {
    table.result.is_postponed = true;
    return Done();
  }
  switch (table.phase) {
    case Table::Phase::kTotal:
      table.result.blue_rows = table.totals[0].rows();
      table.result.green_rows = table.totals[1].rows();
      if (table.totals[0].at(0) == table.totals[1].at(0)) return Done();
      progress_.tables_different += 1;
      table.phase = Table::Phase::kBuckets;
      return BeginPhase(at);
    case Table::Phase::kBuckets:
      table.different = FindDifferent(table.sums[0], table.sums[1], limits_.rows_max);
      table.phase = Table::Phase::kRows;
      return BeginPhase(at);
    case Table::Phase::kRows:
      FillResult(table);
      return Done();
  }
}

void Comparison::BeginPhase(size_t at) {
  auto& table = *tables_[at];
  table.open = table.tasks[0].size() + table.tasks[1].size();
  queue_.AddFirst(Side::kBlue, table.tasks[0]);
  queue_.AddFirst(Side::kGreen, table.tasks[1]);
}

void Comparison::FillResult(Table& table) {
  auto& result = table.result;
  auto found = CompareRows(table.plan, std::move(table.rows[0]), std::move(table.rows[1]));
  result.is_exact = table.different.is_complete;
  for (const auto& difference : found) {
    switch (difference.kind) {
      case DifferenceKind::kMissing:
        ++result.missing;
        break;
      case DifferenceKind::kExtra:
        ++result.extra;
        break;
      case DifferenceKind::kDifferent:
        ++result.different;
        break;
    }
  }
  if (found.size() > limits_.differences_max) found.resize(limits_.differences_max);
  result.differences = std::move(found);
}

void Comparison::Done() {
  progress_.tables_done += 1;
  if (--open_tables_ == 0) supervisor_.wake().Ring();
}

}  // namespace pgteal::pipeline
