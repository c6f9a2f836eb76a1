#include "pipeline/turn_watch.h"

#include <spdlog/spdlog.h>

#include "pg/error.h"
#include "pipeline/turn.h"
#include "pipeline/turn_lock.h"

namespace pgteal::pipeline {
namespace {

constexpr std::chrono::milliseconds kLook{500};
// After an attempt could not be settled, because a server is away, say.
constexpr std::chrono::milliseconds kPause{10'000};

}  // namespace

TurnWatch::~TurnWatch() { interrupt_.Raise(); }

void TurnWatch::Tick(pg::Connection& source, pg::Connection& target) {
  const auto now = Clock::now();
  if (now < next_look_ || is_settling_.load(std::memory_order_acquire)) return;
  next_look_ = now + (has_failed_.exchange(false) ? kPause : kLook);
  if (is_target_next_) {
    Look(target, &target_suspect_);
  } else {
    Look(source, &source_suspect_);
  }
  is_target_next_ = !is_target_next_;
}

void TurnWatch::Look(pg::Connection& side, std::string* suspect) {
  const TurnRow row = ReadTurn(side, deployment_.name);
  if (row.phase.empty() || IsToolAlive(side, deployment_.name)) {
    suspect->clear();
    return;
  }
  const bool is_dead = *suspect == row.attempt;
  *suspect = row.attempt;
  if (!is_dead) return;
  is_settling_.store(true, std::memory_order_release);
  thread_ = std::jthread([this] { Settle(); });
}

void TurnWatch::Settle() {
  try {
    switch (
        SettleTurn(deployment_, "", SessionOptionsFor("settle", deployment_.name, &interrupt_))) {
      case Settled::kUndone:
        spdlog::warn("a switchover was left by its tool: it was undone");
        break;
      case Settled::kFinished:
        spdlog::warn("a switchover was left by its tool: it was finished");
        break;
      case Settled::kNothing:
      case Settled::kAlive:
        break;
    }
  } catch (const pg::Interrupted&) {
    // The session ends; the next one looks again.
  } catch (const pg::Error& error) {
    spdlog::warn("a switchover was left by its tool and is looked at again: {}", error.what());
    has_failed_.store(true, std::memory_order_release);
  }
  is_settling_.store(false, std::memory_order_release);
}

}  // namespace pgteal::pipeline
