#include "pipeline/stream.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "applier/errors.h"
#include "pg/error.h"
#include "pg/sqlstate.h"

namespace pgteal::pipeline {
namespace {

// Blue answers at once that the slot is still held, by the walsender of a process that has died,
// say: asking again soon costs nothing, and waiting long costs lag.
constexpr std::chrono::milliseconds kSlotBusyBackoff{1000};

}  // namespace

Stream::Stream(Deployment deployment, StreamOptions options, OpenSides open_sides)
    : deployment_(std::move(deployment)),
      options_(std::move(options)),
      spool_({.folder = options_.spool_folder,
              .prefix = "pgteal-" + deployment_.name,
              .disk_bytes_max = options_.spool_bytes_max,
              .sides = deployment_.sides}),
      open_sides_(std::move(open_sides)),
      backoff_(options_.backoff_min) {
  state_.until_lsn = options_.until_lsn;
}

Session::End Stream::Run(const std::atomic<bool>& stop, const Session::Watch& watch) {
  while (true) {
    bool was_streaming = false;
    const auto watch_progress = [&](const SessionView& view) {
      was_streaming = true;
      is_waiting_for_slot_ = false;
      NoteProgress(view.progress.applied());
      watch(view);
    };
    try {
      Session session(deployment_, options_, spool_, state_, std::exchange(open_sides_, {}));
      return session.Run(stop, watch_progress);
    } catch (const pg::Interrupted&) {
      if (!stop.load(std::memory_order_acquire)) throw;
    } catch (...) {
      if (Judge(was_streaming) == Next::kRetryNow) continue;
    }
    if (stop.load(std::memory_order_acquire)) return Session::End::kStopped;
    BackOff(stop);
    if (stop.load(std::memory_order_acquire)) return Session::End::kStopped;
  }
}

Stream::Next Stream::Judge(bool was_streaming) {
  // A process that never got as far as streaming, or as waiting for another one's slot, reports
  // what is wrong instead of trying for ever.
  const bool was_ever_right = was_streaming || has_waited_ || state_.generation.has_value();
  try {
    throw;
  } catch (const applier::BinaryRefused& error) {
    spdlog::info("{}: going on with a text stream", error.what());
    state_.use_binary = false;
    return Next::kRetryNow;
  } catch (const pg::ConnectionLost& error) {
    if (!was_ever_right) throw;
    spdlog::warn("session ended, retried in {} ms: {}", backoff_.count(), error.what());
  } catch (pg::ServerError& error) {
    // It is by the SQLSTATE, and so for the usual direction.
    error.SetHint(applier::Renamed(error.hint(), deployment_.sides));
    const bool is_slot_busy = error.sqlstate() == pg::kObjectInUse;
    if (!error.is_transient()) throw;
    has_waited_ |= is_slot_busy;
    if (!was_ever_right && !is_slot_busy) throw;
    if (is_slot_busy) {
      WaitForSlot(error);
      return Next::kRetry;
    }
    spdlog::warn("session ended, retried in {} ms: {}{}{}", backoff_.count(), error.what(),
                 error.hint().empty() ? "" : ". ", error.hint());
  }
  return Next::kRetry;
}

// Said once: whoever waits for an hour does not fill the log.
void Stream::WaitForSlot(const pg::ServerError& error) {
  backoff_ = std::min(backoff_, kSlotBusyBackoff);
  if (std::exchange(is_waiting_for_slot_, true)) {
    spdlog::debug("still waiting for slot {}: {}", deployment_.name, error.what());
    return;
  }
  spdlog::warn(
      "waiting for slot {}: {}. Another pgteal at work is left alone, and this one goes on when it "
      "has ended",
      deployment_.name, error.what());
}

// A session may end between two looks: what it committed is then seen at the next one's start.
void Stream::NoteProgress(pg::Lsn applied) {
  if (seen_applied_.is_valid() && applied > seen_applied_) backoff_ = options_.backoff_min;
  seen_applied_ = applied;
}

void Stream::BackOff(const std::atomic<bool>& stop) {
  const auto until = Clock::now() + backoff_;
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  Doorbell never;
  while (!stop.load(std::memory_order_acquire) && Clock::now() < until) {
    never.Wait(std::min(until, Clock::now() + std::chrono::milliseconds(100)));
  }
}

}  // namespace pgteal::pipeline
