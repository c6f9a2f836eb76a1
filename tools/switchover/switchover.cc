#include "tools/switchover/switchover.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <random>
#include <utility>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pg/replication.h"
#include "pipeline/large_objects.h"
#include "pipeline/pooler_pause.h"
#include "pipeline/read_only.h"
#include "pipeline/schema_catalog.h"
#include "pipeline/sequence_copy.h"
#include "pipeline/table_state.h"
#include "pipeline/way_back.h"
#include "tools/cli/exit_codes.h"
#include "tools/switchover/preparation.h"
#include "tools/switchover/rehearsal.h"

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The fence falls when the opening side is this close behind.
constexpr uint64_t kLagAtFenceMax = 1 << 20;
constexpr milliseconds kLagLook{20};
constexpr milliseconds kStreamWait{3000};

// What only the stream in the other direction needs.
constexpr std::array kWayBackChecks = {"C13", "H10", "H15", "H16"};
// What a change of the schema or of the publication makes out of date.
constexpr std::array kSchemaChecks = {"H9", "D19", "D20"};

// And what the server's clock says at this moment, in microseconds since 2000.
constexpr const char* kPreparedSql =
    "SELECT count(*), (extract(epoch FROM clock_timestamp() - '2000-01-01 00:00:00+00')"
    " * 1000000)::bigint FROM pg_prepared_xacts WHERE database = current_database()";

const char* VerbName(TurnKind kind) {
  return kind == TurnKind::kSwitchover ? "switchover" : "rollback";
}

std::string NewAttempt() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

void Pause(milliseconds time) {
  pipeline::Doorbell never;
  never.Wait(Clock::now() + time);
}

}  // namespace

Switchover::Switchover(const SwitchoverOptions& options, const std::atomic<bool>& stop)
    : options_(options),
      stop_(stop),
      fence_{.deployment = options.deployment.name, .leave_roles = options.leave_roles},
      watchdog_(options.timeout, stop, interrupt_) {
  report_.verb = VerbName(options.kind);
  report_.skipped_checks = {options.skip_checks.begin(), options.skip_checks.end()};
  if (!options.pooler.conninfo.empty()) pooler_.emplace(options.pooler);
}

pg::SessionOptions Switchover::Session(const std::string& part) {
  return pipeline::SessionOptionsFor(part, options_.deployment.name, &interrupt_);
}

pg::SessionOptions Switchover::Unhurried() {
  return pipeline::SessionOptionsFor("settle", options_.deployment.name, nullptr);
}

int Switchover::Run() {
  try {
    Connect();
    CheckGuardrails();
    Prepare();
    CatchUp();
    Fence();
    Prove();
    CopyRest();
    Arm();
    PassPointOfNoReturn();
  } catch (pg::Interrupted& error) {
    Undo();
    if (!is_turned_) {
      NoteFailure(error);
      spdlog::warn("{} {}: everything is as it was", report_.verb,
                   watchdog_.has_timed_out() ? "timed out" : "was stopped");
      return watchdog_.has_timed_out() ? kTimedOut : kInterrupted;
    }
  } catch (pg::Error& error) {
    Undo();
    if (!is_turned_) {
      NoteFailure(error);
      throw;
    }
  }
  Open();
  Finish();
  report_.result = "switched";
  return kDone;
}

void Switchover::NoteFailure(pg::Error& error) {
  // It is by the SQLSTATE, and so for the usual direction.
  if (dynamic_cast<const pg::ServerError*>(&error) != nullptr) {
    error.SetHint(applier::Renamed(error.hint(), oriented_.sides));
  }
  const bool is_refused = dynamic_cast<const pg::Refused*>(&error) != nullptr;
  report_.result = is_begun_ ? "undone" : is_refused ? "refused" : "failed";
  if (!report_.reasons.empty()) return;
  const char* what = watchdog_.has_timed_out() ? "the time was up" : error.what();
  report_.reasons.push_back({.what = what, .fix = error.hint()});
}

template <typename Body>
void Switchover::Step(const char* name, Body body) {
  if (interrupt_.is_raised() || stop_.load(std::memory_order_acquire)) throw pg::Interrupted();
  const auto begun = Clock::now();
  body();
  const SwitchoverReport::Milliseconds took = Clock::now() - begun;
  report_.steps.push_back({.name = name, .took = took});
  spdlog::info("{} step={} ms={:.1f}", report_.verb, name, took.count());
  CallHook(name);
}

void Switchover::CallHook(const std::string& phase) {
  if (options_.hook.empty()) return;
  const int code = RunHook(options_.hook, phase, options_.deployment, oriented_, report_.barrier,
                           is_turned_ ? nullptr : &interrupt_);
  if (code == 0) return;
  const std::string what = fmt::format("hook ended with code {} at {}", code, phase);
  if (is_turned_) {
    report_.warnings.push_back(what);
    spdlog::warn("{}", what);
    return;
  }
  throw pg::Refused(what, "Before the point of no return a hook can forbid to go on, and did.");
}

// Events are for people; a turn does not fail for one. Green keeps them, whichever side it is.
void Switchover::Note(const std::string& kind, const std::string& detail) {
  try {
    pg::Connection green(options_.deployment.target, Unhurried());
    applier::RecordEvent(green, options_.deployment.name, kind, detail);
  } catch (const pg::Error& error) {
    spdlog::warn("event {} was not recorded: {}", kind, error.what());
  }
}

void Switchover::Connect() {
  Step("connect", [this] {
    const auto session = Session("switchover");
    auto found = pipeline::SettleAndFindEpoch(options_.deployment, session);
    if (found.settled == pipeline::Settled::kAlive) {
      throw pg::Refused(
          fmt::format("a switchover of deployment {} is under way", options_.deployment.name),
          "Wait for it, or end the tool that makes it.");
    }
    epoch_ = found.epoch;
    oriented_ = pipeline::Oriented(options_.deployment, epoch_);
    if (pooler_) EndLeftPause();
    const bool is_back = epoch_ % 2 == 1;
    if (is_back != (options_.kind == TurnKind::kRollback)) {
      throw pg::Refused(
          is_back ? "green takes the writes already" : "blue takes the writes already",
          is_back ? "`pgteal rollback` goes back." : "There is nothing to roll back.");
    }
    if (is_back) std::swap(found.sides.source, found.sides.target);
    from_ = std::move(found.sides.source);
    to_ = std::move(found.sides.target);
    if (!from_) from_ = std::make_unique<pg::Connection>(oriented_.source, session);
    if (!to_) to_ = std::make_unique<pg::Connection>(oriented_.target, session);
    for (auto* side : {from_.get(), to_.get()}) pg::MakeCommitsDurable(*side);
    drain_.emplace(*from_, *to_, oriented_.name);
  });
}

void Switchover::CheckGuardrails() {
  Step("guardrails", [this] {
    WaitForStream();
    schema_token_ = pipeline::SchemaToken(*from_);
    auto objections = FindObjections(*from_, *to_, oriented_, fence_);
    if (objections.empty()) {
      CheckSelection checks{.only = {}, .skip = options_.skip_checks};
      if (!options_.way_back) checks.skip.insert(kWayBackChecks.begin(), kWayBackChecks.end());
      AddCheckResults(*from_, *to_, oriented_, fence_, checks, &objections, &report_.warnings);
    }
    Require(objections);
    if (options_.verify) RequireVerified(*to_, oriented_.name);
    if (pooler_) pooler_->Check(oriented_.target);
    for (const auto& concern : FindConcerns(*from_, *to_, fence_)) {
      report_.warnings.push_back(concern);
    }
    for (const auto& concern : report_.warnings) spdlog::warn("{}", concern);
  });
}

void Switchover::Require(const std::vector<Objection>& objections) {
  for (const auto& objection : objections) {
    spdlog::error("guardrail: {}. {}", objection.what, objection.fix);
  }
  report_.reasons = objections;
  if (objections.empty()) return;
  throw pg::Refused(fmt::format("{} guardrails say no, the first: {}", objections.size(),
                                objections.front().what),
                    objections.front().fix);
}

// What was made since the guardrails is on one side alone, and its rows may be in no stream. False
// when nothing was.
bool Switchover::CheckSchemaAgain() {
  const std::string token = pipeline::SchemaToken(*from_);
  if (token == schema_token_) return false;
  schema_token_ = token;
  const CheckSelection checks{.only = {kSchemaChecks.begin(), kSchemaChecks.end()},
                              .skip = options_.skip_checks};
  std::vector<Objection> objections;
  AddCheckResults(*from_, *to_, oriented_, fence_, checks, &objections, &report_.warnings);
  Require(objections);
  return true;
}

// A run that has just turned round, or that reconnects, is there in a moment.
void Switchover::WaitForStream() {
  const auto deadline = Clock::now() + kStreamWait;
  while (Clock::now() < deadline) {
    const auto slot = pg::FindSlot(*from_, oriented_.name);
    if (!slot || slot->is_active) return;
    Pause(kLagLook);
  }
}

void Switchover::Prepare() {
  Step("prepare", [this] {
    attempt_.emplace(oriented_.name, NewAttempt(), epoch_);
    attempt_->Lock(*from_, *to_);
    is_begun_ = true;
    attempt_->Begin(*from_, *to_);
    Note(report_.verb, fmt::format("begins, attempt {}", attempt_->id()));
    if (options_.way_back) {
      pipeline::PrepareWayBack(*from_, *to_, oriented_, Session("slot"));
    }
    if (options_.refresh_matviews) RefreshMaterializedViews(*to_);
    if (options_.analyze) AnalyzeTables(*to_);
    pipeline::CopyChangedLargeObjects(*from_, *to_);
  });
}

// A fence that falls while much is still on its way only makes the outage longer.
void Switchover::CatchUp() {
  Step("catch up", [this] {
    // Here it costs no outage. Our own schema may have been made meanwhile, too.
    if (CheckSchemaAgain() && options_.way_back) {
      pipeline::PublishWayBack(*from_, *to_, oriented_.name);
    }
    while ((report_.lag_bytes = drain_->LagBytes()) > kLagAtFenceMax) Pause(kLagLook);
    drain_->ToEnd();
  });
}

void Switchover::Fence() {
  if (pooler_) {
    Step("pause", [this] {
      Note(pipeline::kPoolerPaused,
           pipeline::PoolerPauseDetail({.database = pooler_->database(), .epoch = epoch_}));
      is_paused_ = true;
      outage_.Closing(Clock::now());
      pooler_->Pause(&interrupt_);
    });
  }
  Step("fence", [this] {
    if (!pooler_) outage_.Closing(Clock::now());
    from_->Exec("BEGIN");
    pipeline::CloseDatabase(*from_, fence_);
    attempt_->SetPhase(*from_, "fenced");
    from_->Exec("COMMIT");
    pipeline::EndForeignSessions(*from_, fence_);
  });
  Step("drain", [this] { report_.barrier = drain_->ToEnd(); });
}

void Switchover::CopyRest() {
  Step("sequences",
       [this] { report_.sequences = pipeline::CopySequences(*from_, *to_, oriented_.sides); });
  Step("large objects",
       [this] { report_.large_objects = pipeline::CopyChangedLargeObjects(*from_, *to_); });
}

// Nobody else is left, nobody can come, nothing was committed meanwhile.
void Switchover::Prove() {
  Step("prove", [this] {
    const auto foreign = pipeline::FindForeignSessions(*from_, fence_);
    if (foreign.count > 0) {
      throw pg::Refused(
          fmt::format("{} sessions came back behind the fence: {}", foreign.count, foreign.names),
          "Stop these programs, or give them a role of their own.");
    }
    const auto asked = Clock::now();
    const auto prepared = from_->Exec(kPreparedSql);
    outage_.Relate({prepared.Int(0, 1)}, asked, Clock::now());
    if (prepared.Int(0, 0) > 0) {
      throw pg::Refused("a transaction was prepared before the fence fell and could still commit",
                        "COMMIT PREPARED or ROLLBACK PREPARED it.");
    }
    const int64_t unseen = drain_->Prove();
    if (unseen > 0) {
      report_.warnings.push_back(fmt::format(
          "{} transactions ended on the closed server behind the fence that changed no published "
          "table: of its other databases, of its own jobs, or of who gets past the fence",
          unseen));
    }
    outage_.LastCommit(drain_->last_commit());
    if (CheckSchemaAgain() && options_.way_back) {
      pipeline::RequirePublished(*from_, *to_, oriented_.name);
    }
  });
}

void Switchover::Arm() {
  Step("arm", [this] {
    report_.start_lsn = to_->Exec("SELECT pg_current_wal_insert_lsn()").LsnAt(0, 0);
    std::optional<pg::SystemIdentity> identity;
    if (options_.way_back) {
      pg::ReplicationConnection stream(oriented_.target, Session("identity"));
      identity = stream.IdentifySystem();
    }
    from_->Exec("BEGIN");
    if (identity) {
      pipeline::ArmWayBack(*from_, oriented_.name, *identity, report_.start_lsn);
    }
    attempt_->SetPhase(*from_, "committing");
    from_->Exec("COMMIT");
  });
}

// One commit opens the other side, completes the turn and takes the old direction's stream away
// from whoever runs it.
void Switchover::PassPointOfNoReturn() {
  Step("commit", [this] {
    to_->Exec("BEGIN");
    attempt_->Complete(*to_);
    to_->Exec("UPDATE pgteal.progress SET generation = generation + 1 WHERE slot = $1",
              {oriented_.name});
    pipeline::SetDeploymentState(*to_, oriented_.name, "switched");
    pipeline::OpenForAll(*to_, oriented_.name);
    if (options_.kind == TurnKind::kSwitchover) pipeline::MakeWritable(*to_, oriented_.name);
    pids_of_before_ = pipeline::ForeignSessionPids(*to_, fence_);
    if (!watchdog_.CallOff()) throw pg::Interrupted();
    to_->Exec("COMMIT");
    is_turned_ = true;
    outage_.Opened(Clock::now());
  });
}

void Switchover::Rehearse() {
  try {
    Connect();
    CheckGuardrails();
  } catch (pg::Error& error) {
    NoteFailure(error);
    throw;
  }
  const auto rehearsal = RehearseTurn(*from_, *to_, *drain_);
  report_.lag_bytes = rehearsal.lag_bytes;
  report_.sequences = rehearsal.sequences;
  report_.times.outage = report_.times.closed = rehearsal.outage;
  for (const auto& step : rehearsal.steps) report_.steps.push_back(step);
  report_.result = "rehearsed";
}

}  // namespace pgteal::tools
