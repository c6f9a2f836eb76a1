#include "pipeline/load.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <numeric>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/check.h"
#include "pg/error.h"
#include "pipeline/beside.h"
#include "pipeline/database_properties.h"
#include "pipeline/large_objects.h"
#include "pipeline/load_checks.h"
#include "pipeline/load_watch.h"
#include "pipeline/rivals.h"
#include "pipeline/sequence_copy.h"
#include "pipeline/table_state.h"
#include "pipeline/wal_flusher.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{100};
// Tables that come, go or are rewritten between lock and snapshot make us look again.
constexpr int kSnapshotAttempts = 20;

}  // namespace

Load::Load(const Deployment& deployment, const LoadOptions& options)
    : deployment_(deployment), options_(options), claim_(deployment) {}

Load::~Load() { supervisor_.interrupt().Raise(); }

pg::SessionOptions Load::SessionOptions(const std::string& part) {
  return SessionOptionsFor(part, deployment_.name, &supervisor_.interrupt());
}

Load::End Load::Run(const std::atomic<bool>& stop, const Watch& watch) {
  conductor_ = supervisor_.Start([this] {
    Conduct();
    is_finished_.store(true);
    supervisor_.wake().Ring();
  });
  const StuckWatch stuck(stop, supervisor_);
  LoadWatch over(deployment_, supervisor_.interrupt());
  while (!is_finished_.load() && !supervisor_.has_failed()) {
    supervisor_.wake().Wait(Clock::now() + kTick);
    watch(progress_);
    over.Look(progress_);
    if (stop.load(std::memory_order_acquire)) supervisor_.interrupt().Raise();
  }
  if (supervisor_.has_failed()) supervisor_.interrupt().Raise();
  conductor_ = {};
  supervisor_.RethrowFailure();
  if (!is_finished_.load()) return End::kStopped;
  watch(progress_);
  return End::kDone;
}

void Load::Conduct() {
  progress_.Enter(LoadPhase::kCheck);
  Connect();
  Claim();
  if (is_resumed_ && !is_reload() && LoadStateOf(state_) != LoadState::kLoading) return EndOther();
  Check();
  const bool needs_snapshot = state_ != "indexing";
  do {
    if (needs_snapshot) {
      progress_.Enter(LoadPhase::kSlot);
      OpenSnapshot();
      Record();
    }
    if (dump_) progress_.Enter(LoadPhase::kSchema);
  } while (dump_ && !TakeDump());
  if (dump_) CreateSchema();
  if (state_ != "indexing") {
    progress_.Enter(LoadPhase::kCopy);
    CopyTables();
  } else if (dump_) {
    BuildIndexes();
  }
  if (dump_) FinishSchema();
  Finish();
}

void Load::Connect() {
  const auto session = SessionOptions("load");
  auto green =
      Beside([&] { return std::make_unique<pg::Connection>(deployment_.target, session); });
  const InterruptOnError end(supervisor_.interrupt());
  blue_ = std::make_unique<pg::Connection>(deployment_.source, session);
  green_ = green.get();
}

// What green has on record is read once nobody else can change it.
void Load::Claim() {
  RequirePair(*blue_, *green_, deployment_.sides);
  if (!is_reload()) RequireEncoding(*blue_, *green_);
  claim_.Lock(*green_, !is_reload(), supervisor_.interrupt());
  PrepareLoadSession(*green_);
  state_ = DeploymentState(*green_, deployment_.name);
  is_resumed_ = !state_.empty();
}

// Somebody else has loaded it while we waited.
void Load::EndOther() {
  has_postponed_checks_ = LoadStateOf(state_) == LoadState::kCatchingUp;
  spdlog::info("deployment {} has been loaded by another process", deployment_.name);
  claim_.Unlock(*green_);
  progress_.End();
}

void Load::Check() {
  if (!is_resumed_) RequireNoRival(*blue_, *green_, deployment_.name, options_.bootstrap);
  if (options_.mode == CopyMode::kAll && !is_reload()) CheckSchema();
  RequireIdleSlot(*blue_, deployment_, is_resumed_);
  PreparePublication(*blue_, deployment_, options_.bootstrap);
  if (is_reload()) reload_ = FindPublished(*blue_, deployment_, options_.reload);
  if (is_resumed_) claim_.TakeOver(*green_);
  if (!is_resumed_ && options_.mode == CopyMode::kData) {
    plan_ = ReadPlan(*blue_, deployment_.name);
    MatchTarget(*green_, deployment_.sides, &plan_);
    RequireEmptyTables(*green_, plan_);
  }
}

// Programs that start and sessions that open take longer than all questions.
void Load::CheckSchema() {
  auto dump = Beside([this, version = blue_->server_version()] {
    return std::make_unique<SchemaDump>(deployment_.source, options_.dump, version,
                                        &supervisor_.interrupt());
  });
  auto schema = Beside([this] {
    return std::make_unique<TargetSchema>(
        deployment_, TargetSchemaOptions{.jobs = options_.jobs, .is_resumed = is_resumed_},
        supervisor_, progress_);
  });
  const InterruptOnError end(supervisor_.interrupt());
  if (!is_resumed_) RequireEmptyTarget(*green_);
  RequireRolesAndExtensions(*blue_, *green_, options_.dump);
  dump_ = dump.get();
  schema_ = schema.get();
}

// Which tables of an earlier attempt are left; none for a first one: all.
std::optional<std::set<TableKey>> Load::Wanted() {
  if (is_reload()) return reload_;
  return is_resumed_ ? std::optional(ReadUncopied(*green_, deployment_.name)) : std::nullopt;
}

// The locks come before the slot: what is rewritten or emptied between a snapshot and its COPY
// looks empty to that COPY, and rewrites are not in the stream.
void Load::OpenSnapshot() {
  auto session = Beside([this] { return OpenSlotSession(); });
  const InterruptOnError end(supervisor_.interrupt());
  const auto wanted = Wanted();
  const bool has_slot = pg::FindSlot(*blue_, deployment_.name).has_value();
  lock_ = std::make_unique<SourceLock>(deployment_.source, SessionOptions("lock"));
  bool is_temporary = has_slot;  // or it was made by an earlier attempt
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    lock_->Take(*blue_, deployment_.name, wanted);
    slot_ = attempt == 0 ? session.get() : OpenSlotSession();
    if (TryOpenSnapshot(is_temporary, wanted)) return;
    spdlog::info("tables were created or rewritten while the snapshot was made: looking again");
    // The slot of the first attempt stays: the stream begins there, and leaves out what the later
    // snapshot holds.
    is_temporary = true;
  }
  throw pg::Error("published tables are created, rewritten or dropped all the time",
                  "Try again when fewer tables come and go.");
}

std::unique_ptr<pg::ReplicationConnection> Load::OpenSlotSession() {
  return std::make_unique<pg::ReplicationConnection>(deployment_.source, SessionOptions("slot"));
}

bool Load::TryOpenSnapshot(bool is_temporary, const std::optional<std::set<TableKey>>& wanted) {
  identity_ = slot_->IdentifySystem();
  const std::string name = is_temporary ? deployment_.name + "_load" : deployment_.name;
  const auto created = CreateExportingSlot(*slot_, name, is_temporary);
  point_ = SnapshotPoint{.snapshot = created.snapshot, .lsn = created.consistent_point};
  lock_->Import(point_->snapshot);
  plan_ = ReadPlan(lock_->session(), deployment_.name);
  if (wanted) NarrowPlan(*green_, deployment_, *wanted, &plan_);
  return lock_->Covers(plan_);
}

// From here on an interrupted load is known to green, and goes on.
void Load::Record() {
  membership_ = ReadMembership(lock_->session(), deployment_.name);
  if (is_reload()) RequireReloadable(*green_, deployment_.sides, &plan_);
  if (!state_.empty()) return claim_.Commit(*green_, [this] { RecordResumed(); });
  const auto slot = pg::FindSlot(*blue_, deployment_.name);
  if (!slot) throw pg::Refused(fmt::format("slot {} vanished", deployment_.name));
  state_ = dump_ ? "schema" : "copying";
  ClaimStart(*green_, deployment_.name);  // or we would empty the table states of another process
  green_->Exec("BEGIN");
  ForgetTableStates(*green_, deployment_.name);
  RecordAllComplete(*green_, deployment_.name, membership_);
  AddTableStates(*green_, deployment_.name, plan_);
  green_->Exec("COMMIT");
  BeginDeployment(*green_, deployment_.name, *identity_, slot->confirmed_flush_lsn,
                  slot->confirmed_flush_lsn, state_);
  claim_.TakeOver(*green_);
}

void Load::RecordResumed() {
  AddTableStates(*green_, deployment_.name, plan_);
  const auto tables = KeysOf(plan_);
  if (!is_reload()) return RecordComplete(*green_, deployment_.name, membership_, tables);
  RequireOwnTables(lock_->session(), *green_, deployment_, membership_, tables);
  RecordBehind(*green_, deployment_.name, membership_, tables);
  for (const auto& table : plan_) SetCopying(*green_, deployment_.name, table);
}

void Load::SetState(const std::string& state) {
  claim_.Commit(*green_, [&] { SetDeploymentState(*green_, deployment_.name, state_ = state); });
}

// pg_dump locks every table, too. If DDL waits for one of our locks meanwhile, it cannot: false,
// with the locks released so that the DDL is done before the next attempt.
bool Load::TakeDump() {
  auto& blue = point_ ? lock_->session() : *blue_;
  try {
    dump_->Take(point_ ? point_->snapshot : "");
  } catch (const pg::Error& error) {
    if (!point_ || ++dump_attempts_ == kSnapshotAttempts || supervisor_.interrupt().is_raised()) {
      throw;
    }
    const auto waiting = blue_->Exec(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'");
    if (waiting.Int(0, 0) == 0) throw;
    spdlog::info("DDL on blue goes first, then the snapshot is made anew");
    lock_->Release();
    slot_.reset();
    return false;
  }
  if (state_ == "schema") {
    pre_data_ = Beside([this] { return dump_->Items(SchemaDump::Section::kPreData); });
  }
  post_data_ = PlanPostData(dump_->Items(SchemaDump::Section::kPostData), ReadIndexes(blue),
                            deployment_.name);
  WarnOfNotCopied(blue, deployment_.name);
  return true;
}

void Load::CreateSchema() {
  if (state_ != "schema") return;
  schema_->CreatePreData(pre_data_.get());
  SetState("copying");
}

// Workers that find no table to copy any more build the indexes of those that are copied.
void Load::CopyTables() {
  MatchTarget(*green_, deployment_.sides, &plan_);
  std::vector<size_t> all(plan_.size());
  std::iota(all.begin(), all.end(), 0);
  const auto tasks = SplitTasks(plan_, all, options_.jobs);
  EmptyTables(tasks);
  if (dump_) PrepareBuilds();
  CopyQueue queue(plan_, tasks, progress_, [this](const PlannedTable& table) {
    if (builds_) builds_->Release({table.schema, table.name});
  });
  auto workers = StartWorkers(queue, tasks.size());
  try {
    AwaitCopies(queue);
    EndCopy();
  } catch (...) {
    supervisor_.interrupt().Raise();  // or the workers would go on to the end
    throw;
  }
  workers.clear();
  if (supervisor_.has_failed()) throw pg::Interrupted();
}

void Load::EmptyTables(const std::vector<CopyTask>& tasks) {
  for (const auto& task : tasks) {
    if (!task.pages || task.pages->begin != 0) continue;
    claim_.Commit(*green_, [&] {
      TableCopier::Empty(*green_, deployment_.sides, plan_[task.table]);
      SetEmptied(*green_, deployment_.name, plan_[task.table]);
    });
  }
}

// What an earlier attempt copied need not wait.
void Load::PrepareBuilds() {
  schema_->CreateParents(post_data_);
  progress_.indexes_total.store(static_cast<uint32_t>(post_data_.builds.size()));
  builds_ = std::make_unique<BuildQueue>(post_data_.builds, options_.jobs, supervisor_.interrupt());
  for (const auto& [key, table] : ReadTableStates(*green_, deployment_.name)) {
    if (IsCopied(table)) builds_->Release(key);
  }
}

std::vector<std::jthread> Load::StartWorkers(CopyQueue& queue, size_t copiers) {
  std::vector<std::jthread> workers;
  for (size_t i = 0; i < options_.jobs; ++i) {
    const bool copies = i < copiers;
    if (!copies && !builds_) break;
    workers.push_back(supervisor_.Start(
        [this, &queue, copies] {
          if (copies) {
            TableCopier(deployment_, SessionOptions("copy"), claim_, *point_).Run(queue);
          }
          if (builds_) schema_->Build(*builds_);
        },
        [this] { supervisor_.interrupt().Raise(); }));
  }
  return workers;
}

// Everything was copied by an earlier attempt.
void Load::BuildIndexes() {
  progress_.Enter(LoadPhase::kIndexes);
  PrepareBuilds();
  builds_->ReleaseAll();
  CopyQueue nothing({}, {}, progress_, {});
  StartWorkers(nothing, 0).clear();
  if (supervisor_.has_failed()) throw pg::Interrupted();
}

void Load::AwaitCopies(CopyQueue& queue) {
  const WalFlusher flusher(deployment_.target, SessionOptions("flush"));
  if (dump_) CopyObjects();
  while (!queue.WaitForEnd(kTick)) {
    if (supervisor_.interrupt().is_raised()) throw pg::Interrupted();
  }
  if (queue.postponed().empty()) return;
  TableCopier(lock_->session(), deployment_, SessionOptions("copy"), claim_, *point_)
      .RunPostponed(queue);
}

void Load::EndCopy() {
  // The last look before the locks go: what is left out now would be missing for good.
  const auto states = ReadTableStates(*green_, deployment_.name);
  for (const auto& table : plan_) PGTEAL_CHECK(IsCopied(states, table), "a table was not copied");
  const auto record = [this] { RecordFollowing(*green_, deployment_.name, membership_); };
  if (!is_reload()) claim_.Commit(*green_, record);
  lock_->Release();
  slot_.reset();
  ForgetVanished(*blue_, *green_, deployment_);
  if (!is_reload()) SetState("indexing");
  if (!builds_) return;
  progress_.Enter(LoadPhase::kIndexes);
  builds_->ReleaseAll();
}

void Load::CopyObjects() {
  const PlannedTable row = LargeObjectsRow();
  const auto states = ReadTableStates(*green_, deployment_.name);
  const auto found = states.find({row.schema, row.name});
  if (found != states.end() && IsCopied(found->second)) return;
  const size_t count = CopyLargeObjects(lock_->session(), *green_, options_.dump);
  if (count == 0) return;
  claim_.Commit(*green_, [&] {
    AddTableStates(*green_, deployment_.name, {row});
    SetCopied(*green_, deployment_.name, row, point_->lsn, count, 0);
  });
  spdlog::info("large objects copied: {}; later changes are not in the stream", count);
}

void Load::FinishSchema() {
  schema_->AttachIndexes(post_data_);
  progress_.Enter(LoadPhase::kConstraints);
  std::set<pg::Lsn> points;
  for (const auto& [key, table] : ReadTableStates(*green_, deployment_.name)) {
    if (table.ready_lsn) points.insert(*table.ready_lsn);
  }
  has_postponed_checks_ = schema_->AddConstraints(post_data_, points.size() <= 1);
  progress_.Enter(LoadPhase::kRest);
  schema_->CreateRest(post_data_);
  schema_->RefreshViews(*blue_);
  CarryDatabaseProperties(*blue_, *green_, options_.dump);
}

void Load::Finish() {
  size_t sequences = 0;
  if (!is_reload()) sequences = CopySequences(*blue_, *green_, deployment_.sides);
  claim_.Commit(*green_, [this] { RecordEnd(); });
  if (!is_reload()) spdlog::info("sequences set on green: {}", sequences);
  claim_.Unlock(*green_);
  progress_.End();
}

void Load::RecordEnd() {
  SetAllReady(*green_, deployment_.name);
  const char* state = has_postponed_checks_ ? "catching_up" : "streaming";
  if (is_reload()) RecordComplete(*green_, deployment_.name, membership_, KeysOf(plan_));
  if (!is_reload()) SetDeploymentState(*green_, deployment_.name, state);
  applier::RecordEvent(*green_, deployment_.name, is_reload() ? "reloaded" : "loaded",
                       fmt::format("tables: {}", plan_.size()));
}

}  // namespace pgteal::pipeline
