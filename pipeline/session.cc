#include "pipeline/session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "applier/errors.h"
#include "applier/progress_row.h"
#include "pg/catalog.h"
#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// How often the main thread looks around.
constexpr milliseconds kTick{50};
// Blue's WAL position is asked for the lag display only.
constexpr milliseconds kSourceLook{1000};
// A head batch that does not move for so long is suspected to wait for a later lane's locks.
constexpr milliseconds kStall{300};
// A zombie's transaction gets so long to end after its backend was told to.
constexpr int kZombieWaitMs = 5000;

std::string ApplicationName(const std::string& part, const std::string& deployment) {
  // The server cuts names at 63 bytes; cutting here keeps comparisons exact.
  return fmt::format("pgteal {} {}", part, deployment).substr(0, 63);
}

}  // namespace

Session::Session(const Deployment& deployment, const StreamOptions& options, SpoolFolder& spool,
                 SessionState& state)
    : deployment_(deployment), options_(options), spool_(spool), state_(state) {}

Session::~Session() {
  interrupt_.Raise();
  if (receiver_) receiver_->Stop();
  if (batcher_) batcher_->Stop();
  StopLanes();
}

pg::SessionOptions Session::SessionOptionsFor(const std::string& part) const {
  return {.application_name = ApplicationName(part, deployment_.name),
          .replication = false,
          .interrupt = &interrupt_,
          .settings = {}};
}

Session::End Session::Run(const std::atomic<bool>& stop, const Watch& watch) {
  Connect();
  const pg::Lsn progress_lsn = CheckSource();
  StartStream(progress_lsn);
  TakeOver();
  StartThreads();
  while (!stop.load(std::memory_order_acquire) && !has_failed_.load(std::memory_order_acquire) &&
         !receiver_->is_done()) {
    Tick();
    watch({.progress = *progress_,
           .source_lsn = source_lsn_,
           .ring_bytes = ring_->bytes(),
           .application_name = {}});
    wake_self_.Wait(Clock::now() + kTick);
  }
  const bool is_done = receiver_->is_done();
  Finish();
  return is_done ? End::kDone : End::kStopped;
}

void Session::Connect() {
  stream_ =
      std::make_unique<pg::ReplicationConnection>(deployment_.source, SessionOptionsFor("stream"));
  blue_ = std::make_unique<pg::Connection>(deployment_.source, SessionOptionsFor("source"));
  green_ = std::make_unique<pg::Connection>(deployment_.target, SessionOptionsFor("target"));
}

// Blue's slot and green's progress must tell one story. Returns the progress.
pg::Lsn Session::CheckSource() {
  const auto identity = stream_->IdentifySystem();
  const auto known = green_->Exec(
      "SELECT source_system_identifier, source_timeline, source_database FROM pgteal.deployment"
      " WHERE name = $1",
      {deployment_.name});
  const auto progress = applier::ReadProgress(*green_, deployment_.name);
  if (known.is_empty() || !progress) {
    throw pg::Refused(fmt::format("green holds no deployment {}", deployment_.name),
                      "It was cleaned up: start anew.");
  }
  if (known.Text(0, 0) != identity.system_identifier || known.Text(0, 2) != identity.database) {
    throw pg::Refused(
        fmt::format("blue is another server or database than deployment {} began with: system "
                    "identifier {} instead of {}, database {} instead of {}",
                    deployment_.name, identity.system_identifier, known.Text(0, 0),
                    identity.database, known.Text(0, 2)),
        "Point --source at the server that the deployment was made for, or use another --name.");
  }
  if (known.Int(0, 1) != identity.timeline) {
    throw pg::Refused(
        fmt::format("blue is on timeline {}, the deployment began on {}: it was promoted or "
                    "restored, and green may hold transactions that this blue never had",
                    identity.timeline, known.Int(0, 1)),
        "Compare blue and green; reload, or begin a new deployment.");
  }
  const auto slot = pg::FindSlot(*blue_, deployment_.name);
  if (!slot) {
    throw pg::Refused(fmt::format("slot {} does not exist on blue", deployment_.name),
                      "Somebody dropped it; what was committed since is not in any stream. Run "
                      "`pgteal cleanup` and begin anew.");
  }
  if (slot->plugin != "pgoutput" || slot->database != identity.database) {
    throw pg::Refused(fmt::format("slot {} is not ours: plugin {}, database {}", slot->name,
                                  slot->plugin, slot->database),
                      "Use another --name.");
  }
  if (slot->wal_status == "lost" || !slot->invalidation_reason.empty()) {
    throw pg::Refused(
        fmt::format("slot {} was invalidated by blue ({}): WAL that green needs is gone",
                    slot->name,
                    slot->invalidation_reason.empty() ? "wal_removed" : slot->invalidation_reason),
        "Raise max_slot_wal_keep_size on blue, run `pgteal cleanup` and begin anew.");
  }
  if (slot->confirmed_flush_lsn > progress->end_lsn) {
    throw pg::Refused(
        fmt::format("slot {} stands at {}, past green's progress {}: changes between would be lost",
                    slot->name, slot->confirmed_flush_lsn, progress->end_lsn),
        "The slot was re-created or advanced, or green was restored from a backup. Run `pgteal "
        "cleanup` and begin anew.");
  }
  if (options_.until_caught_up && !state_.until_lsn.is_valid()) {
    state_.until_lsn = identity.flush_lsn;
  }
  return progress->end_lsn;
}

void Session::StartStream(pg::Lsn progress_lsn) {
  const bool is_binary = WantsBinary();
  stream_->StartReplication({.slot = deployment_.name,
                             .publication = deployment_.name,
                             .proto_version = 2,
                             .streaming = true,
                             .binary = is_binary,
                             .messages = true,
                             .origin_none = false},
                            progress_lsn);
  spdlog::info("streaming slot={} lsn={} binary={}", deployment_.name, progress_lsn, is_binary);
}

// Binary pays off only if every value can be written in binary form; one array column would send
// its whole table row by row.
bool Session::WantsBinary() {
  if (options_.binary == BinaryMode::kOff || !state_.use_binary) return false;
  if (options_.on_conflict != applier::ConflictPolicy::kStop) return false;  // rows are recorded
  if (options_.binary == BinaryMode::kOn) return true;
  return blue_
      ->Exec(
          "SELECT NOT EXISTS (SELECT 1 FROM pg_publication_tables AS p"
          " JOIN pg_namespace AS n ON n.nspname = p.schemaname"
          " JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename"
          " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
          " JOIN pg_type AS t ON t.oid = a.atttypid"
          " WHERE p.pubname = $1 AND (t.typtype <> 'b' OR t.oid >= 16384 OR t.typcategory = 'A'))",
          {deployment_.name})
      .Bool(0, 0);
}

void Session::TakeOver() {
  // Whoever still holds a lane's transaction has lost blue's slot to us: it is a zombie.
  green_->Exec(
      "SELECT pg_terminate_backend(pid, $2::bigint) FROM pg_stat_activity WHERE application_name = "
      "$1 AND usename = current_user AND pid <> pg_backend_pid()",
      {ApplicationName("lane", deployment_.name), std::to_string(kZombieWaitMs)});
  const auto progress =
      applier::TakeOver(*green_, deployment_.name, state_.generation, 6 * kZombieWaitMs);
  state_.generation = progress.generation;
  resume_lsn_ = progress.end_lsn;
}

void Session::StartThreads() {
  const bool replica_role = pg::MaySetReplicaRole(*green_);
  const bool has_origins = options_.origin == OriginMode::kAuto && pg::MayUseOrigins(*green_);
  catalog_ = std::make_unique<applier::TargetCatalog>(deployment_.target,
                                                      SessionOptionsFor("catalog"), replica_role);
  assembler_ = std::make_unique<decoder::Assembler>(
      decoder::AssemblerOptions{.protocol_version = 2,
                                .memory_bytes_max = options_.transaction_bytes_max},
      spool_);
  progress_ = std::make_unique<Progress>(resume_lsn_, wake_receiver_);
  ring_ = std::make_unique<Ring<decoder::Transaction>>(options_.ring_count_max,
                                                       options_.ring_bytes_max);
  order_ = std::make_unique<CommitOrder>(options_.lanes, interrupt_);
  for (size_t i = 0; i < options_.lanes; ++i) {
    const applier::ApplierOptions lane_options{
        .slot = deployment_.name,
        .generation = *state_.generation,
        .synchronous_commit = options_.synchronous_commit,
        .replica_role = replica_role,
        .origin = has_origins ? fmt::format("pgteal_{}_{}", deployment_.name, i) : "",
        .on_conflict = options_.on_conflict};
    lanes_.push_back(std::make_unique<Lane>(
        i,
        std::make_unique<applier::Applier>(deployment_.target, SessionOptionsFor("lane"),
                                           lane_options, *catalog_),
        *order_, *progress_, ring_->not_empty()));
  }
  receiver_ = std::make_unique<Receiver>(
      ReceiverOptions{
          .resume_lsn = resume_lsn_, .until_lsn = state_.until_lsn, .feedback = options_.feedback},
      *stream_, *assembler_, *ring_, *progress_, wake_receiver_);
  batcher_ = std::make_unique<Batcher>(options_.batcher, *ring_, *catalog_, lanes_, *order_,
                                       wake_receiver_, receiver_->is_behind());
  for (const auto& lane : lanes_) {
    ++lanes_running_;
    lane_threads_.push_back(Guarded([&lane = *lane] { lane.Run(); }, true));
  }
  batcher_thread_ = Guarded([this] { batcher_->Run(); }, false);
  receiver_thread_ = Guarded([this] { receiver_->Run(); }, false);
}

template <typename Body>
std::jthread Session::Guarded(Body body, bool is_lane) {
  return std::jthread([this, body, is_lane] {
    try {
      body();
    } catch (...) {
      Fail(is_lane);
    }
    if (is_lane) --lanes_running_;
  });
}

// Called from the catch of a thread body.
void Session::Fail(bool is_lane) noexcept {
  {
    const std::lock_guard lock(failure_mutex_);
    try {
      throw;
    } catch (const pg::Interrupted&) {
      // The consequence of another failure, or of a stop.
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
  }
  has_failed_.store(true, std::memory_order_release);
  // The lanes behind a failed one wait for a turn that never comes.
  if (is_lane) {
    interrupt_.Raise();
    order_->WakeAll();
  }
  wake_self_.Ring();
}

void Session::Tick() {
  PollFlush();
  ResolveStall();
  const auto now = Clock::now();
  if (now < next_source_look_) return;
  next_source_look_ = now + kSourceLook;
  source_lsn_ = blue_
                    ->Exec(
                        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
                        " ELSE pg_current_wal_flush_lsn() END")
                    .LsnAt(0, 0);
}

void Session::PollFlush() {
  if (progress_->durable() >= progress_->applied()) return;
  progress_->GreenFlushed(green_->Exec("SELECT pg_current_wal_flush_lsn()").LsnAt(0, 0));
}

// Ordered commit hides this deadlock from the server: the head batch waits for a lock of a later
// lane, which waits for the head's commit. The later one has to give way.
void Session::ResolveStall() {
  const uint64_t head = order_->committed() + 1;
  const auto now = Clock::now();
  if (head != stalled_sequence_) {
    stalled_sequence_ = head;
    stalled_since_ = now;
    return;
  }
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                                 [head](const auto& l) { return l->sequence() == head; });
  if (lane == lanes_.end()) {
    stalled_since_ = now;
    return;
  }
  if (now - stalled_since_ < kStall) return;
  stalled_since_ = now;
  const auto blockers = green_->Exec(
      "WITH RECURSIVE chain(pid) AS (SELECT unnest(pg_blocking_pids($1::int))"
      " UNION SELECT unnest(pg_blocking_pids(chain.pid)) FROM chain) SELECT pid FROM chain",
      {std::to_string((*lane)->backend_pid())});
  for (int row = 0; row < blockers.rows(); ++row) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      const uint64_t sequence = lanes_[i]->sequence();
      if (lanes_[i]->backend_pid() != blockers.Int(row, 0) || sequence <= head) continue;
      spdlog::debug("batch {} holds locks that batch {} needs: it gives way", sequence, head);
      order_->AskToYield(i, sequence);
      green_->Exec("SELECT pg_cancel_backend($1)", {blockers.String(row, 0)});
    }
  }
}

// Stops everything in order: no new batches, the batches in hand commit, what they made durable is
// told to blue. Then throws the failure, if there was one.
void Session::Finish() {
  batcher_->Stop();
  batcher_thread_ = {};
  for (const auto& lane : lanes_) lane->Stop();
  const auto deadline = Clock::now() + options_.stop_grace;
  try {
    while (lanes_running_.load() > 0 && Clock::now() < deadline && !interrupt_.is_raised()) {
      PollFlush();
      ResolveStall();
      wake_self_.Wait(Clock::now() + milliseconds(5));
    }
    while (!interrupt_.is_raised() && progress_->durable() < progress_->applied() &&
           Clock::now() < deadline) {
      PollFlush();
      wake_self_.Wait(Clock::now() + milliseconds(20));
    }
  } catch (const pg::Error&) {
    // Green is gone; what it has made durable is found out at the next start.
  }
  StopLanes();
  receiver_->Stop();
  receiver_thread_ = {};
  const std::lock_guard lock(failure_mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void Session::StopLanes() {
  if (lanes_running_.load() > 0) {
    interrupt_.Raise();
    if (order_) order_->WakeAll();
  }
  for (const auto& lane : lanes_) lane->Stop();
  lane_threads_.clear();
}

}  // namespace pgteal::pipeline
