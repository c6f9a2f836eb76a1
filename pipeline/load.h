#ifndef PGTEAL_PIPELINE_LOAD_H_
#define PGTEAL_PIPELINE_LOAD_H_

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "pg/replication.h"
#include "pipeline/bootstrap.h"
#include "pipeline/build_queue.h"
#include "pipeline/load_claim.h"
#include "pipeline/load_progress.h"
#include "pipeline/load_state.h"
#include "pipeline/options.h"
#include "pipeline/publication_watch.h"
#include "pipeline/schema_dump.h"
#include "pipeline/source_lock.h"
#include "pipeline/supervisor.h"
#include "pipeline/table_copy.h"
#include "pipeline/table_state.h"
#include "pipeline/target_schema.h"

namespace pgteal::pipeline {

enum class CopyMode : uint8_t { kAll, kData, kNone };

struct LoadOptions {
  CopyMode mode = CopyMode::kAll;
  size_t jobs = 4;
  DumpOptions dump;
  BootstrapOptions bootstrap;
  std::set<TableKey> reload;  // tables of a deployment that streams already, copied once more
};

// Fills an empty green and leaves it ready for the stream: publication, locks, slot and snapshot,
// schema, data, indexes and constraints, sequences. Begins anew or goes on where an interrupted
// load left off, by pgteal.deployment and pgteal.table_state on green.
//
// The main thread calls Run(), which watches over blue and asks to stop; a thread of its own does
// the work and starts the workers.
class Load {
 public:
  enum class End : uint8_t { kStopped, kDone };
  using Watch = std::function<void(const LoadProgress&)>;

  Load(const Deployment& deployment, const LoadOptions& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Throws what ended the load.
  End Run(const std::atomic<bool>& stop, const Watch& watch);
  // After kDone: what is left to do. Only the stream, or first the checks of foreign keys that wait
  // for it.
  LoadState state() const {
    return has_postponed_checks_ ? LoadState::kCatchingUp : LoadState::kStreaming;
  }

 private:
  pg::SessionOptions SessionOptions(const std::string& part);
  void Conduct();
  void Connect();
  void Claim();
  void EndOther();
  void Check();
  void CheckSchema();
  std::optional<std::set<TableKey>> Wanted();
  void OpenSnapshot();
  std::unique_ptr<pg::ReplicationConnection> OpenSlotSession();
  bool TryOpenSnapshot(bool is_temporary, const std::optional<std::set<TableKey>>& wanted);
  void Record();
  void RecordResumed();
  void SetState(const std::string& state);
  bool TakeDump();
  void CreateSchema();
  void CopyTables();
  void EmptyTables(const std::vector<CopyTask>& tasks);
  void PrepareBuilds();
  std::vector<std::jthread> StartWorkers(CopyQueue& queue, size_t copiers);
  void BuildIndexes();
  void AwaitCopies(CopyQueue& queue);
  void EndCopy();
  void CopyObjects();
  void FinishSchema();
  void Finish();
  void RecordEnd();
  bool is_reload() const { return !options_.reload.empty(); }

  const Deployment& deployment_;
  const LoadOptions& options_;
  LoadClaim claim_;  // our session with green has it
  Supervisor supervisor_;
  LoadProgress progress_;

  // The conducting thread's.
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::Connection> green_;
  std::unique_ptr<SourceLock> lock_;
  std::unique_ptr<pg::ReplicationConnection> slot_;  // its snapshot lives while it stays idle
  std::optional<SnapshotPoint> point_;
  std::vector<PlannedTable> plan_;
  Membership membership_;      // as of the snapshot
  std::set<TableKey> reload_;  // as the plan names them
  std::optional<pg::SystemIdentity> identity_;
  std::unique_ptr<SchemaDump> dump_;  // null when the schema is there already
  std::unique_ptr<TargetSchema> schema_;
  std::future<std::vector<DumpItem>> pre_data_;  // what dump_ is being read for
  PostDataPlan post_data_;
  std::unique_ptr<BuildQueue> builds_;  // null when the indexes are there already
  std::string state_;                   // pgteal.deployment.state
  bool is_resumed_ = false;  // an interrupted load goes on, or tables are copied once more
  bool has_postponed_checks_ = false;
  int dump_attempts_ = 0;

  std::atomic<bool> is_finished_ = false;
  std::jthread conductor_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LOAD_H_
