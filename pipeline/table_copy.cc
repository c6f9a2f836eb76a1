#include "pipeline/table_copy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "pg/catalog.h"
#include "pg/copy.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/load_checks.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kLockNotAvailable = "55P03";

}  // namespace

CopyQueue::CopyQueue(const std::vector<PlannedTable>& plan, const std::vector<CopyTask>& tasks,
                     LoadProgress& progress, OnCopied on_copied)
    : on_copied_(std::move(on_copied)), left_(tasks.size()) {
  std::map<size_t, TableProgress*> shown;
  for (const auto& task : tasks) {
    const auto& table = plan[task.table];
    auto& row = shown[task.table];
    if (row == nullptr) row = &progress.AddTable(table.schema + "." + table.name, table.bytes);
    entries_.push_back({&table, task, row});
    ++open_[&table];
  }
}

const CopyQueue::Entry* CopyQueue::Next() {
  const std::lock_guard lock(mutex_);
  return next_ < entries_.size() ? &entries_[next_++] : nullptr;
}

bool CopyQueue::Finish(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  return --open_[entry.table] == 0;
}

void CopyQueue::Postpone(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  postponed_.push_back(entry);
}

void CopyQueue::Leave() {
  const std::lock_guard lock(mutex_);
  if (--left_ == 0) ended_.notify_all();
}

bool CopyQueue::WaitForEnd(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, timeout, [this] { return left_ == 0; });
}

std::vector<CopyQueue::Entry> CopyQueue::postponed() {
  const std::lock_guard lock(mutex_);
  return postponed_;
}

void PrepareLoadSession(pg::Connection& green) {
  green.Exec("SET synchronous_commit = off");
  if (pg::MaySetReplicaRole(green)) green.Exec("SET session_replication_role = replica");
}

TableCopier::TableCopier(const Deployment& deployment, const pg::SessionOptions& session,
                         const LoadClaim& claim, SnapshotPoint point)
    : sides_(deployment.sides),
      claim_(claim),
      point_(std::move(point)),
      own_(std::make_unique<pg::Connection>(deployment.source, session)),
      blue_(*own_),
      green_(deployment.target, session) {
  own_->EnlargeInputBuffer();
  PrepareLoadSession(green_);
}

TableCopier::TableCopier(pg::Connection& blue, const Deployment& deployment,
                         const pg::SessionOptions& session, const LoadClaim& claim,
                         SnapshotPoint point)
    : sides_(deployment.sides),
      claim_(claim),
      point_(std::move(point)),
      blue_(blue),
      green_(deployment.target, session) {
  PrepareLoadSession(green_);
}

void TableCopier::Empty(pg::Connection& green, const applier::SideNames& sides,
                        const PlannedTable& table) {
  const std::string name = table.only() + table.qualified();
  if (!table.has_references) {
    green.Exec("TRUNCATE " + name);
    return;
  }
  RequireNoCascade(green, sides, table);
  green.Exec("DELETE FROM " + name);
}

// False when DDL is waiting for the table: queueing behind it would be for ever, as it waits for
// the locks that are held until we are done.
bool TableCopier::BeginTask(const PlannedTable& table) {
  if (!own_) return true;
  blue_.Exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  blue_.Exec("SET TRANSACTION SNAPSHOT " + pg::QuoteLiteral(point_.snapshot));
  try {
    blue_.Exec("LOCK TABLE " + table.only() + table.qualified() + " IN ACCESS SHARE MODE NOWAIT");
    RequireNotRewritten(table);
    return true;
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kLockNotAvailable) throw;
  }
  blue_.Exec("ROLLBACK");
  return false;
}

// Should the session that holds our locks have been ended, DDL may have come in between: the
// snapshot would show the table without its rows.
void TableCopier::RequireNotRewritten(const PlannedTable& table) {
  if (table.filenode == 0) return;
  const auto now = blue_.Exec("SELECT pg_relation_filenode($1::oid)", {std::to_string(table.oid)});
  if (!now.IsNull(0, 0) && now.Int(0, 0) == table.filenode) return;
  throw pg::ConnectionLost(sides_.Format("a table was rewritten, emptied or dropped on blue "
                                         "although we held its lock: the session with our locks "
                                         "has been ended"),
                           "Run the same command again: the table is copied from a new snapshot.");
}

void TableCopier::Run(CopyQueue& queue) {
  while (const auto* entry = queue.Next()) {
    Take(queue, *entry);
    queue.Leave();
  }
}

void TableCopier::RunPostponed(CopyQueue& queue) {
  for (const auto& entry : queue.postponed()) Take(queue, entry);
}

void TableCopier::Take(CopyQueue& queue, const CopyQueue::Entry& entry) {
  try {
    CopyOrPostpone(queue, entry);
  } catch (pg::Error& error) {
    error.AddContext(fmt::format("table {}.{}", entry.table->schema, entry.table->name));
    throw;
  }
}

void TableCopier::CopyOrPostpone(CopyQueue& queue, const CopyQueue::Entry& entry) {
  const auto& table = *entry.table;
  entry.progress->is_started.store(true);
  if (!BeginTask(table)) return queue.Postpone(entry);
  if (entry.task.pages) {
    CopyPart(entry);
  } else {
    CopyWhole(entry);
  }
  if (own_) blue_.Exec("COMMIT");
  if (!queue.Finish(entry)) return;
  const uint64_t rows = entry.progress->rows.load();
  const uint64_t bytes = entry.progress->bytes.load();
  if (entry.task.pages) {
    claim_.Commit(green_, [&] {
      SetCopied(green_, claim_.deployment(), table, point_.lsn, rows, bytes);
    });
  }
  entry.progress->is_done.store(true);
  spdlog::info("table {}.{} copied rows={} bytes={}", table.schema, table.name, rows, bytes);
  queue.TellCopied(entry);
}

// Emptied, copied and marked in one transaction: rows are frozen at once, and a crash leaves
// nothing half done.
void TableCopier::CopyWhole(const CopyQueue::Entry& entry) {
  const auto& table = *entry.table;
  SetCopying(green_, claim_.deployment(), table);
  claim_.Commit(green_, [&] {
    Empty(green_, sides_, table);
    Pump(entry, table.may_freeze);
    SetCopied(green_, claim_.deployment(), table, point_.lsn, entry.progress->rows.load(),
              entry.progress->bytes.load());
  });
}

void TableCopier::CopyPart(const CopyQueue::Entry& entry) {
  claim_.Commit(green_, [&] { Pump(entry, false); });
  const auto& table = *entry.table;
  const auto& pages = *entry.task.pages;
  spdlog::debug("part of table {}.{} copied first_page={} end_page={}", table.schema, table.name,
                pages.begin, pages.end ? std::to_string(*pages.end) : "none");
}

void TableCopier::Pump(const CopyQueue::Entry& entry, bool freeze) {
  pg::CopyOut out(blue_, CopyOutSql(*entry.table, entry.task));
  pg::CopyIn in(green_, CopyInSql(*entry.table, freeze));
  pg::CopyPipe(out, in, [&](size_t bytes) { entry.progress->bytes += bytes; }).Run();
  const uint64_t taken = in.Finish();
  if (taken != out.rows()) {
    throw pg::ProtocolError(
        sides_.Format("green took {} rows of the {} that blue sent", taken, out.rows()));
  }
  entry.progress->rows += taken;
}

}  // namespace pgteal::pipeline
