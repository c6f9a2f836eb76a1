#include "pipeline/receiver.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

// Frames taken before the timers are looked at again.
constexpr int kFramesAtOnce = 1000;
// Transactions put into the ring before the batcher is told.
constexpr size_t kWakeAfter = 64;
// SQLSTATEs of a server that goes away, whatever it was doing.
constexpr std::string_view kShutdownClass = "57P";
// An idle thread looks at its timers so often.
constexpr std::chrono::milliseconds kLook{500};
// Within it a blue that is frozen as a whole is noticed by the main thread, which asks it.
constexpr std::chrono::milliseconds kAnswerPause{2000};

std::chrono::milliseconds SilenceAllowed(std::chrono::milliseconds receive_timeout) {
  return receive_timeout.count() == 0 ? receive_timeout : receive_timeout + kAnswerPause;
}

}  // namespace

Receiver::Receiver(const ReceiverOptions& options, pg::ReplicationConnection& stream,
                   decoder::Assembler& assembler, Transactions& ring, Progress& progress,
                   Doorbell& wake, Doorbell& news, std::unique_ptr<ReadAhead> read_ahead)
    : options_(options),
      stream_(stream),
      assembler_(assembler),
      ring_(ring),
      progress_(progress),
      wake_(wake),
      news_(news),
      feedback_(options.feedback, options.resume_lsn),
      passed_on_(options.resume_lsn),
      pace_(options.pace, stream),
      silence_(SilenceAllowed(options.receive_timeout)),
      read_ahead_(std::move(read_ahead)),
      is_streaming_(!read_ahead_) {}

void Receiver::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  if (read_ahead_) read_ahead_->Stop();
  wake_.Ring();
}

void Receiver::Run() {
  if (read_ahead_) {
    try {
      ReadBacklog();
    } catch (const pg::Interrupted&) {
      if (!is_stopping_.load(std::memory_order_acquire)) throw;
    } catch (const pg::ServerError& error) {
      // Its temporary files, say, have no room. The stream needs none of that.
      if (!error.sqlstate().starts_with(kShutdownClass)) has_read_ahead_failed_ = true;
      throw;
    }
  }
  while (!is_stopping_.load(std::memory_order_acquire)) {
    const Step step = ReadSome();
    if (step == Step::kIdle) CheckSilence();
    const auto now = Clock::now();
    AdvanceIdle(now);
    CheckDone();
    WakeBatcher();
    pace_.Measure(now);
    SendStatus(now);
    if (step != Step::kMoved) Wait(step);
  }
  if (!is_streaming()) return;
  feedback_.Applied(progress_.applied());
  feedback_.Durable(progress_.durable());
  const auto bytes = decoder::WriteStandbyStatus(feedback_.Final());
  stream_.Send({bytes.data(), bytes.size()});
  stream_.Stop();
}

// Chunk by chunk until the rest is for the stream, which begins exactly where the last one ended.
void Receiver::ReadBacklog() {
  while (!has_reached_end_ && read_ahead_->OpenChunk()) {
    if (!ReadChunk()) return;
    read_ahead_->Durable(progress_.durable());
    // The rest of a large transaction comes with everything before it once more, call after call.
    if (assembler_.streamed_count() > 0) {
      assembler_.Restart();
      if (!read_ahead_->Widen()) break;
      continue;
    }
    OnPosition(read_ahead_->position());
  }
  if (!has_reached_end_) StartStream();
}

// False when it was stopped.
bool Receiver::ReadChunk() {
  while (const auto message = read_ahead_->Next()) {
    pace_.Count(message->payload.size());
    progress_.counters.received_bytes.fetch_add(message->payload.size(), std::memory_order_relaxed);
    if (has_reached_end_) continue;
    OnMessage(message->lsn, message->payload);
    while (pending_ && !HandOver()) {
      WakeBatcher();
      if (is_stopping_.load(std::memory_order_acquire)) return false;
      if (!read_ahead_->TakeMore()) wake_.Wait(Clock::now() + kLook);
    }
    if (ring_.count() % kWakeAfter == 0) WakeBatcher();
  }
  WakeBatcher();
  pace_.Measure(Clock::now());
  return true;
}

void Receiver::StartStream() {
  const pg::Lsn begin = read_ahead_->position();
  read_ahead_->Close();
  stream_.StartReplication(options_.stream, begin);
  is_streaming_.store(true, std::memory_order_release);
  if (has_reached_end_) return;
  spdlog::info("the backlog has been read ahead; streaming slot={} lsn={}", options_.stream.slot,
               begin);
}

Receiver::Step Receiver::ReadSome() {
  for (int i = 0; i < kFramesAtOnce; ++i) {
    if (pending_ && !HandOver()) return Step::kBlocked;
    if (has_reached_end_) return Step::kBlocked;
    std::string_view payload;
    switch (stream_.TryReceive(&payload)) {
      case pg::ReplicationConnection::Received::kNothing:
        return Step::kIdle;
      case pg::ReplicationConnection::Received::kEnd:
        throw pg::ConnectionLost(
            options_.sides.Format("blue ended the stream (it is shutting down)"));
      case pg::ReplicationConnection::Received::kMessage:
        OnFrame(payload);
    }
  }
  return Step::kMoved;
}

void Receiver::OnFrame(std::string_view payload) {
  silence_.End();
  pace_.Count(payload.size());
  progress_.counters.received_bytes.fetch_add(payload.size(), std::memory_order_relaxed);
  const auto frame = decoder::ReadStreamFrame(payload);
  if (const auto* data = std::get_if<decoder::XLogData>(&frame)) {
    OnMessage(data->start_lsn, data->payload);
  } else {
    OnKeepalive(std::get<decoder::Keepalive>(frame));
  }
}

void Receiver::OnMessage(pg::Lsn lsn, std::string_view message) {
  feedback_.Received(lsn);
  progress_.Received(std::max(progress_.received(), lsn));
  try {
    if (auto transaction = assembler_.Feed(message, lsn)) {
      OnTransaction(std::move(transaction));
      announcement_count_.store(assembler_.announcement_count(), std::memory_order_relaxed);
    }
  } catch (pg::Error& error) {
    error.AddContext(fmt::format("stream at lsn {}", lsn));
    throw;
  }
}

void Receiver::OnTransaction(std::unique_ptr<decoder::Transaction> transaction) {
  keepalive_lsn_ = {};
  feedback_.Received(transaction->end_lsn);
  progress_.Received(std::max(progress_.received(), transaction->end_lsn));
  if (transaction->end_lsn <= options_.resume_lsn) return;
  if (options_.until_lsn.is_valid() && transaction->end_lsn > options_.until_lsn) {
    has_reached_end_ = true;
    return;
  }
  progress_.counters.received_transactions.fetch_add(1, std::memory_order_relaxed);
  pending_ = std::move(transaction);
}

void Receiver::OnKeepalive(const decoder::Keepalive& keepalive) {
  if (keepalive.reply_requested) feedback_.ReplyRequested();
  OnPosition(keepalive.end_lsn);
}

// Blue has sent everything that was committed before it.
void Receiver::OnPosition(pg::Lsn lsn) {
  feedback_.Received(lsn);
  progress_.Received(std::max(progress_.received(), lsn));
  // Within a transaction it says nothing about what is complete.
  if (assembler_.in_transaction()) return;
  keepalive_lsn_ = std::max(keepalive_lsn_, lsn);
  // No transaction is on its way to the ring while frames are read.
  const pg::Lsn until = options_.until_lsn;
  progress_.Complete(std::max(progress_.complete(),
                              until.is_valid() ? std::min(until, keepalive_lsn_) : keepalive_lsn_));
  if (options_.until_lsn.is_valid() && lsn >= options_.until_lsn) has_reached_end_ = true;
}

bool Receiver::HandOver() {
  const pg::Lsn end_lsn = pending_->end_lsn;
  if (ring_.TryPushQuietly(pending_) == PushResult::kFull) return false;
  has_pushed_ = true;
  passed_on_ = end_lsn;
  return true;
}

// With nothing in flight the position of a keepalive becomes our progress, through the same road as
// a transaction: first the row on green, then the feedback. Otherwise WAL would pile up on blue
// while only unpublished tables change.
void Receiver::AdvanceIdle(Clock::time_point now) {
  if (pending_ || keepalive_lsn_ <= passed_on_ || progress_.applied() < passed_on_) return;
  if (!has_reached_end_ && now - last_advance_ < options_.idle_advance_interval) return;
  last_advance_ = now;
  pending_ = std::make_unique<decoder::Transaction>();
  pending_->end_lsn =
      options_.until_lsn.is_valid() ? std::min(keepalive_lsn_, options_.until_lsn) : keepalive_lsn_;
  pending_->commit_time = pg::Timestamp::From(std::chrono::system_clock::now());
  if (pending_->end_lsn <= passed_on_) {
    pending_.reset();
  } else {
    static_cast<void>(HandOver());
  }
}

void Receiver::CheckDone() {
  if (!has_reached_end_ || pending_ || progress_.applied() < passed_on_) return;
  if (progress_.durable() < passed_on_) {
    if (!is_awaiting_flush_.exchange(true, std::memory_order_acq_rel)) news_.Ring();
    return;
  }
  // A slot is moved by the stream's last status: pg_replication_slot_advance() would have blue read
  // its WAL again.
  if (!is_streaming()) StartStream();
  if (!is_done_.exchange(true, std::memory_order_acq_rel)) news_.Ring();
}

// An idle blue sends nothing by itself for half of its wal_sender_timeout, or for ever. Before
// version 16 a walsender that decodes the rewrite of a table does not even answer; a session begun
// anew would only decode it again.
void Receiver::CheckSilence() {
  if (silence_.IsTimeToAsk()) feedback_.AskForReply();
  if (!silence_.IsTimeToTell()) return;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options_.receive_timeout).count();
  spdlog::warn(
      "nothing has come through slot {} for {} s: {}'s walsender decodes something large, or hangs",
      options_.stream.slot, seconds, options_.sides.blue);
}

void Receiver::SendStatus(Clock::time_point now) {
  if (!is_streaming()) return;
  feedback_.Applied(progress_.applied());
  feedback_.Durable(progress_.durable());
  if (const auto status = feedback_.Poll(now)) {
    const auto bytes = decoder::WriteStandbyStatus(*status);
    stream_.Send({bytes.data(), bytes.size()});
  }
}

void Receiver::WakeBatcher() {
  if (!has_pushed_) return;
  has_pushed_ = false;
  ring_.not_empty().Ring();
}

void Receiver::Wait(Step step) {
  auto deadline = Clock::now() + kLook;
  // Before that blue gets no status, and one that stays due would keep this thread running.
  if (is_streaming()) deadline = std::min(deadline, feedback_.next_due());
  if (step == Step::kBlocked) {
    wake_.Wait(deadline);
    return;
  }
  const auto begin = Clock::now();
  pace_.Wait(deadline, wake_.fd(), assembler_.in_transaction());
  wake_.Clear();
  // What ended it sooner may be a part of a message.
  if (Clock::now() >= deadline && deadline > begin) silence_.Add(deadline - begin);
}

}  // namespace pgteal::pipeline
