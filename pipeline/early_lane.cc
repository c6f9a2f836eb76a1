#include "pipeline/early_lane.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "pg/error.h"
#include "pipeline/lane.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// Progress rings no bell of this lane.
constexpr milliseconds kProgressLook{2};
// Those who wait for its locks do so for about as long.
constexpr milliseconds kWaitersLook{250};

}  // namespace

EarlyLane::EarlyLane(size_t index, Connect connect, CommitOrder& order, Progress& progress,
                     Doorbell& batcher_doorbell, const applier::SideNames& sides)
    : index_(index),
      connect_(std::move(connect)),
      order_(order),
      progress_(progress),
      batcher_doorbell_(batcher_doorbell),
      sides_(sides) {}

bool EarlyLane::WantsOne() {
  if (session_.load(std::memory_order_acquire) == Session::kReady) {
    return is_free_.load(std::memory_order_acquire);
  }
  Session none = Session::kNone;
  if (session_.compare_exchange_strong(none, Session::kWanted)) doorbell_.Ring();
  return false;
}

std::shared_ptr<decoder::EarlyTransaction> EarlyLane::Begin(
    pg::Xid xid, std::unique_ptr<decoder::MessageTail> tail, decoder::SpooledState state,
    pg::Lsn fence) {
  auto early = std::make_shared<EarlyStream>(xid, std::move(tail), std::move(state), fence);
  is_free_.store(false, std::memory_order_release);
  SetCurrent(early);
  doorbell_.Ring();
  return early;
}

void EarlyLane::Give(std::unique_ptr<applier::Batch> batch) {
  batch_ = std::move(batch);
  sequence_.store(batch_->sequence, std::memory_order_release);
  doorbell_.Ring();
}

void EarlyLane::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  // One that is claimed goes on to its commit, from the log if need be.
  if (const auto current = Current()) current->Abandon();
  doorbell_.Ring();
}

void EarlyLane::Run() {
  while (true) {
    if (const auto current = Current()) {
      Work(*current);
      SetCurrent(nullptr);
      is_free_.store(true, std::memory_order_release);
    } else if (is_stopping_.load(std::memory_order_acquire)) {
      return;
    } else if (session_.load(std::memory_order_acquire) == Session::kWanted) {
      ConnectNow();
    } else {
      doorbell_.Wait(Clock::now() + std::chrono::seconds(10));
    }
  }
}

std::shared_ptr<EarlyStream> EarlyLane::Current() const {
  const std::lock_guard lock(mutex_);
  return early_;
}

void EarlyLane::SetCurrent(std::shared_ptr<EarlyStream> early) {
  const std::lock_guard lock(mutex_);
  early_ = std::move(early);
}

void EarlyLane::Work(EarlyStream& early) {
  if (is_stopping_.load(std::memory_order_acquire)) early.Abandon();
  const bool is_written = Write(early);
  if (is_written) AwaitFate(early);
  if (early.GiveUp()) {
    if (is_written) applier_->DropEarly();
    spdlog::debug("transaction {} is not applied early", early.xid().value);
    return;
  }
  // Claimed: its batch is here or on its way.
  while (sequence_.load(std::memory_order_acquire) == 0) {
    doorbell_.Wait(Clock::now() + std::chrono::seconds(10));
  }
  Commit(is_written);
}

// Whether all of it is in green's open transaction.
bool EarlyLane::Write(EarlyStream& early) {
  try {
    return applier_->WriteEarly(early, [&](pg::Lsn fence) { AwaitApplied(early, fence); });
  } catch (const pg::Interrupted&) {
    if (order_.is_interrupted()) throw;
    // Abandoned, or its log is gone: it will not commit in this session.
    applier_->DropEarly();
    return false;
  }
}

// Without a session more it goes on as without this lane.
void EarlyLane::ConnectNow() {
  try {
    applier_ = connect_();
  } catch (const pg::Interrupted&) {
    throw;
  } catch (const pg::Error& error) {
    spdlog::warn("large transactions are not applied before {} commits them: {}", sides_.blue,
                 error.what());
    session_.store(Session::kRefused, std::memory_order_release);
    return;
  }
  backend_pid_.store(applier_->backend_pid());
  session_.store(Session::kReady, std::memory_order_release);
}

void EarlyLane::AwaitApplied(const EarlyStream& early, pg::Lsn lsn) {
  while (progress_.applied() < lsn) {
    if (early.is_abandoned()) throw pg::Interrupted();
    doorbell_.Wait(Clock::now() + kProgressLook);
  }
}

// Until the batcher has it, or it is to be given up.
void EarlyLane::AwaitFate(EarlyStream& early) {
  while (!early.is_abandoned() && sequence_.load(std::memory_order_acquire) == 0) {
    doorbell_.Wait(Clock::now() + milliseconds(100));
  }
}

void EarlyLane::Commit(bool is_written) {
  LaneTurn turn(order_, index_);
  const auto batch = std::move(batch_);
  const applier::Applied applied =
      is_written ? applier_->CommitEarly(*batch, turn) : applier_->Apply(*batch, turn);
  spdlog::debug("transaction {} was {}", batch->transactions.back()->xid.value,
                is_written ? "applied early" : "begun early and applied again");
  Publish(*batch, applied, progress_, order_);
  sequence_.store(0, std::memory_order_release);
  batcher_doorbell_.Ring();
}

void EarlyLane::LookForWaiters(pg::Connection& green) {
  const auto current = Current();
  const auto now = Clock::now();
  if (!current || backend_pid_.load() == 0) return;
  const std::string pid = std::to_string(backend_pid_.load());
  if (is_stopping_.load(std::memory_order_acquire)) {
    // Most roll back by themselves before the first look.
    if (!std::exchange(has_seen_stop_, true)) next_look_ = now + kWaitersLook;
    if (now < next_look_ || current->is_claimed()) return;
    next_look_ = now + kWaitersLook;
    green.Exec("SELECT pg_cancel_backend($1)", {pid});
    return;
  }
  if (now < next_look_) return;
  next_look_ = now + kWaitersLook;
  // pg_stat_activity would hide what other roles wait for.
  const auto waiting = green.Exec(
      "SELECT count(*) FROM pg_locks WHERE NOT granted AND $1::int = ANY (pg_blocking_pids(pid))",
      {pid});
  if (waiting.Int(0, 0) == 0) return;
  spdlog::debug("transaction {} gives way: others wait for its locks", current->xid().value);
  current->Abandon();
  // It may itself wait for a lock. One that is claimed comes to its turn soon: whoever waits for it
  // then waits as for any batch.
  if (!current->is_claimed()) green.Exec("SELECT pg_cancel_backend($1)", {pid});
  if (const uint64_t sequence = sequence_.load(std::memory_order_acquire); sequence != 0) {
    order_.AskToYield(index_, sequence);
  }
}

}  // namespace pgteal::pipeline
