#ifndef PGTEAL_PIPELINE_TABLE_COPY_H_
#define PGTEAL_PIPELINE_TABLE_COPY_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/copy_plan.h"
#include "pipeline/load_claim.h"
#include "pipeline/load_progress.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// What all workers of a copy share: the tasks and how far each table is. Thread-safe. Outlives
// them.
class CopyQueue {
 public:
  struct Entry {
    const PlannedTable* table;
    CopyTask task;
    TableProgress* progress;
  };

  // Called by the worker that copied the last of a table, when green has committed it.
  using OnCopied = std::function<void(const PlannedTable&)>;

  CopyQueue(const std::vector<PlannedTable>& plan, const std::vector<CopyTask>& tasks,
            LoadProgress& progress, OnCopied on_copied);
  // Null when there is nothing left to begin.
  const Entry* Next();
  // True for the last task of its table.
  bool Finish(const Entry& entry);
  void TellCopied(const Entry& entry) const { on_copied_(*entry.table); }
  // DDL on blue waits for the table: only the session that holds its lock can read it.
  void Postpone(const Entry& entry);
  // A worker is done with a task that it took, and with everything that follows from it.
  void Leave();
  // False at the deadline; true when every task was left.
  bool WaitForEnd(std::chrono::milliseconds timeout);
  // What was postponed, after the end. Never with Next(): a worker may still ask for more, and
  // would postpone it once more, for ever.
  std::vector<Entry> postponed();

 private:
  std::vector<Entry> entries_;
  std::vector<Entry> postponed_;  // protected by mutex_
  const OnCopied on_copied_;
  std::mutex mutex_;
  std::condition_variable ended_;
  size_t left_;      // tasks that nobody has left yet; protected by mutex_
  size_t next_ = 0;  // protected by mutex_
  std::map<const PlannedTable*, size_t> open_;  // protected by mutex_
};

struct SnapshotPoint {
  std::string snapshot;  // exported by a session that stays as it is
  pg::Lsn lsn;           // everything committed up to here is in it, and nothing else
};

// One worker: a session on each side, and COPY's bytes from one to the other without looking at
// them. One thread.
class TableCopier {
 public:
  TableCopier(const Deployment& deployment, const pg::SessionOptions& session,
              const LoadClaim& claim, SnapshotPoint point);
  // Reads through `blue`, a session that holds the locks and shows the snapshot already.
  TableCopier(pg::Connection& blue, const Deployment& deployment,
              const pg::SessionOptions& session, const LoadClaim& claim, SnapshotPoint point);

  // Empties a table that an interrupted copy may have left rows in.
  static void Empty(pg::Connection& green, const applier::SideNames& sides,
                    const PlannedTable& table);

  // Copies until the queue is empty.
  void Run(CopyQueue& queue);
  // Copies what others had to postpone, through a session that holds the locks.
  void RunPostponed(CopyQueue& queue);

 private:
  void Take(CopyQueue& queue, const CopyQueue::Entry& entry);
  void CopyOrPostpone(CopyQueue& queue, const CopyQueue::Entry& entry);
  bool BeginTask(const PlannedTable& table);
  void RequireNotRewritten(const PlannedTable& table);
  void CopyWhole(const CopyQueue::Entry& entry);
  void CopyPart(const CopyQueue::Entry& entry);
  void Pump(const CopyQueue::Entry& entry, bool freeze);

  const applier::SideNames sides_;
  const LoadClaim& claim_;
  const SnapshotPoint point_;
  std::unique_ptr<pg::Connection> own_;
  pg::Connection& blue_;
  pg::Connection green_;
};

// For sessions that load: no waiting for WAL, no triggers and foreign keys where our role may.
void PrepareLoadSession(pg::Connection& green);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TABLE_COPY_H_
