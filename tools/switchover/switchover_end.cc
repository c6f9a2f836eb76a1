#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "pg/error.h"
#include "pipeline/doorbell.h"
#include "pipeline/pooler_pause.h"
#include "pipeline/turn.h"
#include "tools/switchover/switchover.h"

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Undoing goes on until it is done; so often it is tried again when a server is away.
constexpr milliseconds kUndoPause{500};
constexpr milliseconds kUndoLog{5000};

}  // namespace

void Switchover::Open() {
  try {
    // Sessions that were here before still have read-only as their default.
    pg::Connection to(oriented_.target, Unhurried());
    const std::string left = pipeline::EndForeignSessions(to, fence_, pids_of_before_);
    if (!left.empty()) {
      report_.warnings.push_back(fmt::format(
          "sessions of before that our role may not end keep read-only as their default: {}. "
          "Reconnect them",
          left));
    }
  } catch (const pg::Error& error) {
    report_.warnings.push_back(fmt::format("sessions of before were not ended: {}", error.what()));
  }
  CallHook("switched");
  if (!pooler_) return;
  try {
    pooler_->PointAt(oriented_.target);
    ResumePooler();
  } catch (const std::exception& error) {
    report_.warnings.push_back(
        fmt::format("PgBouncer still waits: {}. Point its database at the new side, RELOAD, RESUME",
                    error.what()));
  }
}

void Switchover::ResumePooler() {
  pooler_->Resume();
  outage_.Opened(Clock::now());
  is_paused_ = false;
  Note(pipeline::kPoolerResumed, pooler_->database());
}

// What is left can be done by anybody, later too.
void Switchover::Finish() {
  report_.times = {.outage = outage_.outage(),
                   .is_from_commit = outage_.is_from_commit(),
                   .closed = outage_.closed(),
                   .last_commit = outage_.last_commit(),
                   .opened = outage_.opened_at()};
  Note(report_.verb, fmt::format("done, outage {:.0f} ms, barrier {}", report_.times.outage.count(),
                                 report_.barrier));
  from_.reset();
  try {
    pipeline::SettleTurn(options_.deployment, attempt_->id(), Unhurried());
  } catch (const pg::Error& error) {
    report_.warnings.push_back(fmt::format(
        "the slot of the closed side is still there: {}. The next run or status removes it",
        error.what()));
  }
  for (const auto& warning : report_.warnings) spdlog::warn("{}", warning);
}

// Until it is known how the attempt ended. A second Ctrl-C leaves it to the next command.
void Switchover::Undo() {
  if (!is_begun_) return;
  // What they have not committed holds the rows that settling needs.
  from_.reset();
  to_.reset();
  auto next_log = Clock::now();
  pipeline::Doorbell never;
  while (true) {
    try {
      const auto session = Unhurried();
      const auto settled = pipeline::SettleTurn(options_.deployment, attempt_->id(), session);
      is_turned_ = settled == pipeline::Settled::kFinished;
      // Another tool may have settled it before us.
      if (settled == pipeline::Settled::kNothing) {
        is_turned_ = pipeline::CurrentEpoch(options_.deployment, session) > epoch_;
      }
      break;
    } catch (const pg::Error& error) {
      if (Clock::now() >= next_log) {
        spdlog::warn("undoing is tried again until it is done: {}", error.what());
        next_log = Clock::now() + kUndoLog;
      }
    }
    never.Wait(Clock::now() + kUndoPause);
  }
  if (is_turned_) {
    outage_.Opened(Clock::now());  // at the latest: the answer was lost
    return;
  }
  try {
    if (is_paused_) ResumePooler();
    if (!options_.hook.empty()) {
      RunHook(options_.hook, "undone", options_.deployment, oriented_, report_.barrier, nullptr);
    }
  } catch (const pg::Error& error) {
    spdlog::warn("after undoing: {}", error.what());
  }
  Note(report_.verb, "undone");
}

// A tool that was killed behind its PAUSE has left PgBouncer's clients waiting, and if it had
// passed the point of no return, pointed at the closed side. `epoch_` says which side is open.
void Switchover::EndLeftPause() {
  pg::Connection green(options_.deployment.target, Session("pooler"));
  const auto left = pipeline::LastPoolerPause(green, options_.deployment.name);
  const bool is_ours = left && left->database == pooler_->database();
  const bool is_paused = pooler_->IsPaused();
  if (!is_ours && !is_paused) return;
  if (is_ours && left->epoch < epoch_ && !options_.hook.empty()) {
    const auto turned = pipeline::Oriented(options_.deployment, epoch_ - 1);
    RunHook(options_.hook, "switched", options_.deployment, turned, pg::Lsn(), &interrupt_);
  }
  if (epoch_ > 0 && (!is_ours || left->epoch < epoch_)) pooler_->PointAt(oriented_.source);
  ResumePooler();
  spdlog::warn("PgBouncer's clients go on: a switchover that was killed kept them waiting");
}

}  // namespace pgteal::tools
