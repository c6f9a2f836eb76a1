#include "pipeline/replay.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/progress_row.h"
#include "applier/schema.h"
#include "pg/error.h"
#include "pipeline/bootstrap.h"

namespace pgteal::pipeline {
namespace {

constexpr std::chrono::milliseconds kTick{50};
// While nothing is applied, transactions read between two looks at the watch.
constexpr uint64_t kTransactionsAtOnce = 1024;

SpoolOptions SpoolFor(const StreamOptions& options, const std::string& prefix) {
  SpoolOptions spool;
  spool.folder = options.spool_folder;
  spool.prefix = prefix;
  spool.disk_bytes_max = options.spool_bytes_max;
  return spool;
}

// Changes of a transaction too large for memory are decoded when they are read.
void ReadThrough(decoder::Transaction& transaction, size_t block_bytes) {
  if (!transaction.source) return;
  decoder::ChangeBlock block;
  while (transaction.source->Next(block_bytes, &block)) {
  }
}

// A capture applied to its own blue would do every change twice. A copy of blue's data folder has
// its system identifier, too, but begins a timeline of its own once it is promoted, and has no
// slots.
void RequireOtherThanCaptured(pg::Connection& green, const proto::FrameFileHeader& header) {
  const auto row = green.Exec(
      "SELECT c.system_identifier::text, current_database(), ('x' || left(pg_walfile_name("
      "pg_current_wal_lsn()), 8))::bit(32)::bigint, EXISTS (SELECT FROM pg_replication_slots"
      " WHERE slot_name = $1 AND database = current_database()) FROM pg_control_system() AS c",
      {header.slot()});
  if (row.Text(0, 0) != header.system_identifier() || row.Text(0, 1) != header.database()) return;
  if (row.Int(0, 2) != header.timeline() && !row.Bool(0, 3)) return;
  throw pg::Refused(
      fmt::format("the target is the database that was captured: system identifier {}, database {}",
                  header.system_identifier(), header.database()),
      "Point --target at another database, which holds what this one held when the capture began.");
}

}  // namespace

Replay::Replay(const Deployment& deployment, const ReplayOptions& options)
    : deployment_(deployment),
      options_(options),
      spool_(SpoolFor(options.stream, "pgteal-replay-" + deployment.name)),
      reader_(options.paths, options.stream.transaction_bytes_max, spool_) {}

Replay::~Replay() {
  supervisor_.interrupt().Raise();
  if (feeder_) feeder_->Stop();
  feeder_thread_ = {};
  // Its batcher reads a flag of the feeder.
  apply_.reset();
}

Replay::End Replay::Run(const std::atomic<bool>& stop, const Watch& watch) {
  apply_ = std::make_unique<ApplyStage>(deployment_, options_.stream, generation_, supervisor_,
                                        wake_feeder_);
  PrepareTarget();
  const pg::Lsn resume_lsn = apply_->TakeOver();
  spdlog::info("replaying deployment={} captures_from={} lsn={}", deployment_.name,
               reader_.start_lsn(), resume_lsn);
  feeder_ = std::make_unique<CaptureFeeder>(
      FeederOptions{
          .resume_lsn = resume_lsn, .until_lsn = options_.stream.until_lsn, .pace = options_.pace},
      reader_, apply_->ring(), apply_->progress(), wake_feeder_);
  apply_->Start(feeder_->is_behind());
  feeder_thread_ = supervisor_.Start([this] { feeder_->Run(); });
  while (!stop.load(std::memory_order_acquire) && !supervisor_.has_failed() &&
         !feeder_->is_done()) {
    apply_->Tick();
    watch(figures());
    supervisor_.wake().Wait(Clock::now() + kTick);
  }
  const bool is_done = feeder_->is_done();
  apply_->Drain();
  feeder_->Stop();
  feeder_thread_ = {};
  supervisor_.RethrowFailure();
  return is_done ? End::kDone : End::kStopped;
}

// The progress row of a first replay, or the check that a later one goes on with the same blue.
void Replay::PrepareTarget() {
  auto& green = apply_->green();
  RequireWritable(green, deployment_.sides);
  RequireOtherThanCaptured(green, reader_.header());
  const auto progress =
      applier::HasSchema(green) ? applier::ReadProgress(green, deployment_.name) : std::nullopt;
  const auto& header = reader_.header();
  if (!progress) {
    const pg::SystemIdentity source{.system_identifier = header.system_identifier(),
                                    .timeline = header.timeline(),
                                    .flush_lsn = {},
                                    .database = header.database()};
    BeginDeployment(green, deployment_.name, source, reader_.start_lsn(), reader_.start_lsn());
    return;
  }
  RequireSameSource(green);
  if (progress->end_lsn < reader_.start_lsn()) {
    throw pg::Refused(
        fmt::format("green stands at {}, the captures begin at {}: what was committed between "
                    "would be lost",
                    progress->end_lsn, reader_.start_lsn()),
        "Name the captures between, too.");
  }
}

void Replay::RequireSameSource(pg::Connection& green) {
  const auto& header = reader_.header();
  const auto known = green.Exec(
      "SELECT source_system_identifier, source_timeline, source_database FROM pgteal.deployment"
      " WHERE name = $1",
      {deployment_.name});
  if (!known.is_empty() && known.Text(0, 0) == header.system_identifier() &&
      known.Int(0, 1) == header.timeline() && known.Text(0, 2) == header.database()) {
    return;
  }
  throw pg::Refused(
      fmt::format("green's deployment {} follows another blue than the one captured: system "
                  "identifier {}, timeline {}, database {} instead of {}, {}, {}",
                  deployment_.name, known.is_empty() ? "unknown" : known.Text(0, 0),
                  known.is_empty() ? "unknown" : known.Text(0, 1),
                  known.is_empty() ? "unknown" : known.Text(0, 2), header.system_identifier(),
                  header.timeline(), header.database()),
      "Use another --name or another target.");
}

ReplayFigures Replay::figures() {
  if (!feeder_) return {};
  const auto& progress = apply_->progress();
  return {.transactions = progress.counters.applied_transactions.load(),
          .changes = progress.counters.applied_changes.load(),
          .bytes = progress.counters.received_bytes.load(),
          .end_lsn = progress.durable()};
}

ReplayFigures ReplayToNothing(const ReplayOptions& options, const std::atomic<bool>& stop,
                              const Replay::Watch& watch) {
  SpoolFolder spool(SpoolFor(options.stream, "pgteal-replay-null"));
  CaptureReader reader(options.paths, options.stream.transaction_bytes_max, spool);
  const pg::Lsn until = options.stream.until_lsn;
  ReplayFigures figures;
  while (!stop.load(std::memory_order_relaxed)) {
    const auto transaction = reader.Next();
    if (!transaction || (until.is_valid() && transaction->end_lsn > until)) break;
    ReadThrough(*transaction, options.stream.transaction_bytes_max);
    ++figures.transactions;
    figures.changes += transaction->change_count;
    figures.bytes = reader.message_bytes();
    figures.end_lsn = transaction->end_lsn;
    if (figures.transactions % kTransactionsAtOnce == 0) watch(figures);
  }
  return figures;
}

}  // namespace pgteal::pipeline
