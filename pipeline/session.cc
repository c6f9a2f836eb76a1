#include "pipeline/session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "applier/errors.h"
#include "applier/progress_row.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/sqlstate.h"
#include "pipeline/beside.h"
#include "pipeline/load_claim.h"
#include "pipeline/slot_restart.h"
#include "pipeline/slot_use.h"
#include "pipeline/source_identity.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// How often the main thread looks around.
constexpr milliseconds kTick{50};
// Blue's WAL position is asked for the lag display only.
constexpr milliseconds kSourceLook{1000};
// Bytes of WAL.
constexpr uint64_t kBacklogForAllLanes = 1 << 20;

// Whether every column that publication $1 sends has a binary form that means the same on green. A
// partition has the columns of what it is a partition of. Not by pg_publication_tables: since
// version 16 that opens each table, and would wait for whoever rewrites one.
constexpr const char* kIsBinarySql = R"(
SELECT NOT EXISTS (
  SELECT FROM pg_publication AS p
    JOIN pg_class AS c ON p.puballtables
      OR EXISTS (SELECT FROM pg_publication_rel AS r
                  WHERE r.prrelid = c.oid AND r.prpubid = p.oid){}
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
   WHERE p.pubname = $1 AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
     -- regclass and its like: blue's oids mean nothing on green
     AND (t.typtype <> 'b' OR t.oid >= 16384 OR t.typcategory = 'A' OR t.typname ~ '^reg')))";
// Since version 15.
constexpr const char* kInSchemaSql = R"(
      OR EXISTS (SELECT FROM pg_publication_namespace AS s
                  WHERE s.pnnspid = c.relnamespace AND s.pnpubid = p.oid))";

[[noreturn]] void ThrowBusy(std::string message) {
  pg::ServerErrorFields busy;
  busy.sqlstate = pg::kObjectInUse;
  busy.message = std::move(message);
  throw pg::ServerError(std::move(busy));
}

}  // namespace

Session::Session(const Deployment& deployment, const StreamOptions& options, SpoolFolder& spool,
                 SessionState& state, OpenSides open_sides)
    : deployment_(deployment),
      options_(options),
      spool_(spool),
      state_(state),
      open_sides_(std::move(open_sides)),
      answers_(supervisor_, deployment.sides, options.receive_timeout),
      guard_(deployment, options.ddl_guard),
      turn_watch_(deployment) {}

Session::~Session() {
  supervisor_.interrupt().Raise();
  if (receiver_) receiver_->Stop();
  receiver_thread_ = {};
  // Its batcher reads a flag of the receiver.
  apply_.reset();
}

pg::SessionOptions Session::SessionOptions(const std::string& part) {
  return SessionOptionsFor(part, deployment_.name, &supervisor_.interrupt());
}

Session::End Session::Run(const std::atomic<bool>& stop, const Watch& watch) {
  const StuckWatch stuck(stop, supervisor_);
  Connect();
  const pg::Lsn progress_lsn = CheckSource();
  // Before the stream: DDL behind its start is news.
  guard_.Prepare(*blue_, apply_->green());
  // What the guard awaits is what blue has held at the start.
  if (options_.until_caught_up && !state_.until_lsn.is_valid()) {
    state_.until_lsn = std::max(source_lsn_, guard_.awaited().value_or(pg::Lsn{}));
    pg::FlushPast(*blue_, state_.until_lsn);
  }
  StartStream(progress_lsn);
  StartThreads();
  while (!stop.load(std::memory_order_acquire) && !supervisor_.has_failed() &&
         !receiver_->is_done()) {
    const bool is_ending = receiver_->is_awaiting_flush();
    {
      const AnswerWatch::Question question(answers_, AnswerWatch::Side::kGreen);
      apply_->Tick(is_ending);
    }
    LookAtSchema();
    // What it asks takes longer than the end, when green is far.
    if (!is_ending) LookAround();
    watch({.progress = apply_->progress(),
           .source_lsn = source_lsn_,
           .ring_bytes = apply_->ring().bytes(),
           .application_name = {}});
    const auto next_look = is_ending ? Clock::time_point::max() : requests_->next_look();
    supervisor_.wake().Wait(std::min(Clock::now() + kTick, next_look));
  }
  const bool is_done = receiver_->is_done();
  Finish();
  if (is_done) guard_.LookOnce(*blue_, apply_->green(), state_.until_lsn);
  return is_done ? End::kDone : End::kStopped;
}

// All at once: a session is several round trips, and a backend that has to start.
void Session::Connect() {
  auto stream = Beside([this] {
    return std::make_unique<pg::ReplicationConnection>(deployment_.source,
                                                       SessionOptions("stream"));
  });
  auto blue = Beside([this] {
    blue_ = std::make_unique<pg::Connection>(
        OpenOrTake(std::move(open_sides_.source), deployment_.source, SessionOptions("source")));
    stream_options_ = {.slot = deployment_.name,
                       .publication = deployment_.name,
                       .proto_version = 2,
                       .streaming = true,
                       .binary = WantsBinary(),
                       .messages = true,
                       .origin_none = false};
  });
  try {
    apply_ = std::make_unique<ApplyStage>(deployment_, options_, state_.generation, supervisor_,
                                          wake_receiver_, std::move(open_sides_.target));
    stream_ = stream.get();
    blue.get();
  } catch (...) {
    // Nobody waits for the others.
    supervisor_.interrupt().Raise();
    throw;
  }
}

// Blue's slot and green's progress must tell one story. Returns the progress.
pg::Lsn Session::CheckSource() {
  const auto identity = stream_->IdentifySystem();
  auto& green = apply_->green();
  // Before the progress: a process that streams at this moment moves the slot after it.
  const auto slot = pg::FindSlot(*blue_, deployment_.name);
  const auto progress = applier::ReadProgress(green, deployment_.name);
  RequireKnownSource(green, deployment_, identity);
  if (!progress) {
    throw pg::Refused(deployment_.sides.Format("green holds no deployment {}", deployment_.name),
                      "It was cleaned up: start anew.");
  }
  // Whoever took over may hold the slot for ever: that is not what to wait for.
  if (state_.generation && progress->generation != *state_.generation) {
    throw applier::TakenOver(
        fmt::format("another process has taken over slot {}", deployment_.name),
        "Let that one run, or stop it and start this one again.");
  }
  if (!slot) {
    throw pg::Refused(deployment_.sides.Format("slot {} does not exist on blue", deployment_.name),
                      "Somebody dropped it; what was committed since is not in any stream. Run "
                      "`pgteal cleanup` and begin anew.");
  }
  if (slot->plugin != "pgoutput" || slot->database != identity.database) {
    throw pg::Refused(fmt::format("slot {} is not ours: plugin {}, database {}", slot->name,
                                  slot->plugin, slot->database),
                      "Use another --name.");
  }
  RequireKeptSlot(*slot, deployment_.sides);
  if (slot->confirmed_flush_lsn > progress->end_lsn) {
    throw pg::Refused(
        deployment_.sides.Format(
            "slot {} stands at {}, past green's progress {}: changes between would be lost",
            slot->name, slot->confirmed_flush_lsn, progress->end_lsn),
        deployment_.sides.Format(
            "The slot was re-created or advanced, or green was restored from a backup. Run `pgteal "
            "cleanup` and begin anew."));
  }
  source_lsn_ = identity.flush_lsn;
  RequireNobodyReadsAhead();
  RequireNobodyLoads();
  // Nobody streams: it is likely that green becomes ours. Who follows at once needs one lane.
  const bool is_behind = source_lsn_.value >= progress->end_lsn.value + kBacklogForAllLanes;
  if (!slot->is_active) apply_->OpenLanes(is_behind ? kAllLanes : 1);
  return progress->end_lsn;
}

// Whoever reads ahead leaves the slot itself alone, but is as alive as one that streams.
void Session::RequireNobodyReadsAhead() {
  if (ReadsAhead(*blue_, deployment_.name)) {
    ThrowBusy(fmt::format("slot {} is being read ahead by another process", deployment_.name));
  }
}

// What is applied while a table is copied would be lost, or doubled.
void Session::RequireNobodyLoads() {
  const auto load = LoadOn(apply_->green(), deployment_.name);
  if (!load) return;
  ThrowBusy(deployment_.sides.Format("process {} of green loads tables of the deployment", *load));
}

// A copy can be made of a slot that another process streams from: that one must not be overtaken.
void Session::RequireNobodyStreams() {
  const auto slot = pg::FindSlot(*blue_, deployment_.name);
  if (!slot || !slot->is_active) return;
  ThrowBusy(deployment_.sides.Format("slot {} is active for process {} of blue", slot->name,
                                     slot->active_pid));
}

// Of two that begin at the same moment each shows itself before it looks for the other: one of them
// at least sees it.
void Session::StartStream(pg::Lsn progress_lsn) {
  RequireNobodyReadsAhead();
  if (!std::exchange(state_.is_restart_moved, true)) MoveRestartLsn(*blue_, deployment_.name);
  read_ahead_ = BeginReadAhead(progress_lsn);
  if (!read_ahead_) {
    stream_->StartReplication(stream_options_, progress_lsn);
    RequireNobodyReadsAhead();
  }
  RequireNobodyLoads();  // whoever begins to, now that the slot is taken, sees that
  spdlog::info("{} slot={} lsn={} binary={}", read_ahead_ ? "reading ahead" : "streaming",
               deployment_.name, progress_lsn, stream_options_.binary);
}

// Null when the stream does better, or when blue does not let us.
std::unique_ptr<ReadAhead> Session::BeginReadAhead(pg::Lsn progress_lsn) {
  ReadAheadOptions read_ahead{.sides = deployment_.sides};
  if (options_.read_ahead == ReadAheadMode::kOff || !state_.may_read_ahead) return nullptr;
  if (options_.read_ahead == ReadAheadMode::kOn) read_ahead.backlog_bytes_min = 1;
  if (source_lsn_.value < progress_lsn.value + read_ahead.backlog_bytes_min) return nullptr;
  try {
    auto reader =
        std::make_unique<ReadAhead>(read_ahead, deployment_.source, SessionOptions(kReadAheadPart),
                                    stream_options_, state_.until_lsn);
    RequireNobodyStreams();
    if (reader->IsWorthwhile()) {
      reader->Begin();
      return reader;
    }
  } catch (const pg::ServerError& error) {
    if (options_.read_ahead == ReadAheadMode::kOn || error.sqlstate() == pg::kObjectInUse) throw;
    spdlog::debug("the backlog is not read ahead: {}", error.what());
  }
  return nullptr;
}

// Binary pays off only if every value can be written in binary form; one array column would send
// its whole table row by row.
bool Session::WantsBinary() {
  if (options_.binary == BinaryMode::kOff || !state_.use_binary) return false;
  if (options_.on_conflict != applier::ConflictPolicy::kStop) return false;  // rows are recorded
  if (options_.binary == BinaryMode::kOn) return true;
  const char* in_schema = blue_->server_version() >= 150000 ? kInSchemaSql : "";
  return blue_->Exec(fmt::format(kIsBinarySql, in_schema), {deployment_.name}).Bool(0, 0);
}

void Session::StartThreads() {
  const pg::Lsn resume_lsn = apply_->TakeOver();
  assembler_ = std::make_unique<decoder::Assembler>(
      decoder::AssemblerOptions{.protocol_version = 2,
                                .memory_bytes_max = options_.transaction_bytes_max},
      spool_, apply_->early_apply());
  receiver_ =
      std::make_unique<Receiver>(ReceiverOptions{.sides = deployment_.sides,
                                                 .resume_lsn = resume_lsn,
                                                 .until_lsn = state_.until_lsn,
                                                 .stream = stream_options_,
                                                 .feedback = options_.feedback,
                                                 .receive_timeout = options_.receive_timeout},
                                 *stream_, *assembler_, apply_->ring(), apply_->progress(),
                                 wake_receiver_, supervisor_.wake(), std::move(read_ahead_));
  apply_->Start(receiver_->is_behind());
  requests_ = std::make_unique<Requests>(apply_->green(), deployment_.name, apply_->intake(),
                                         apply_->progress());
  receiver_thread_ = supervisor_.Start([this] { receiver_->Run(); });
  guard_.Start();
}

void Session::LookAround() {
  try {
    LookAtSource();
    using Side = AnswerWatch::Side;
    {
      const AnswerWatch::Question question(answers_, Side::kGreen);
      requests_->Tick();
    }
    const AnswerWatch::Question question(answers_,
                                         turn_watch_.asks_target() ? Side::kGreen : Side::kBlue);
    turn_watch_.Tick(*blue_, apply_->green());
  } catch (const pg::Interrupted&) {
    // A lane failed while a server was asked, or that one is frozen. The first error, or the stop,
    // is what ends the session.
  }
}

void Session::LookAtSource() {
  const auto now = Clock::now();
  if (now < next_source_look_) return;
  next_source_look_ = now + kSourceLook;
  const AnswerWatch::Question question(answers_, AnswerWatch::Side::kBlue);
  source_lsn_ = blue_
                    ->Exec(
                        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
                        " ELSE pg_current_wal_flush_lsn() END")
                    .LsnAt(0, 0);
}

void Session::LookAtSchema() {
  const uint64_t count = receiver_->announcement_count();
  if (std::exchange(announcement_count_, count) != count) guard_.LookSoon();
}

// Stops everything in order: no new batches, the batches in hand commit, what they made durable is
// told to blue. Then throws the failure, if there was one.
void Session::Finish() {
  apply_->Drain();
  receiver_->Stop();
  receiver_thread_ = {};
  if (receiver_->has_read_ahead_failed()) state_.may_read_ahead = false;
  try {
    supervisor_.RethrowFailure();
  } catch (const applier::TakenOver&) {
    throw;
  } catch (const pg::Refused&) {
    guard_.LookLast();
    throw;
  } catch (const pg::ServerError& error) {
    if (!error.is_transient()) guard_.LookLast();
    throw;
  }
}

}  // namespace pgteal::pipeline
