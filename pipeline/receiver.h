#ifndef PGTEAL_PIPELINE_RECEIVER_H_
#define PGTEAL_PIPELINE_RECEIVER_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>

#include "applier/side_names.h"
#include "decoder/assembler.h"
#include "decoder/stream_frame.h"
#include "pg/replication.h"
#include "pipeline/feedback.h"
#include "pipeline/progress.h"
#include "pipeline/read_ahead.h"
#include "pipeline/ring.h"
#include "pipeline/silence.h"
#include "pipeline/stream_pace.h"

namespace pgteal::pipeline {

struct ReceiverOptions {
  applier::SideNames sides = {};
  pg::Lsn resume_lsn;        // everything that ends at or before it is on green already
  pg::Lsn until_lsn;         // nothing that ends after it is passed on; zero for no end
  pg::StreamOptions stream;  // what to ask of blue once the backlog has been read ahead
  FeedbackOptions feedback;
  // An idle stream's position is persisted on green this often, so that blue can drop its WAL.
  std::chrono::milliseconds idle_advance_interval{1000};
  // A stream in which nothing has come for about so long is told of; at half of it, blue is asked
  // for a reply. Zero: never.
  std::chrono::milliseconds receive_timeout{60'000};
  StreamPaceOptions pace = {};
};

// Reads blue's backlog, if there is one worth reading ahead, and then its stream: socket -> frame
// -> message -> transaction -> ring, and tells blue our progress. Never blocks on an applier: when
// the ring is full it stops reading and goes on sending status. One thread.
class Receiver {
 public:
  using Transactions = Ring<decoder::Transaction>;

  // `wake`: rung when the ring has space again, when progress moved, and by Stop(). `news`: rung by
  // the receiver when it awaits a flush and when it is done. `read_ahead`: null when `stream` has
  // been started already.
  Receiver(const ReceiverOptions& options, pg::ReplicationConnection& stream,
           decoder::Assembler& assembler, Transactions& ring, Progress& progress, Doorbell& wake,
           Doorbell& news, std::unique_ptr<ReadAhead> read_ahead);

  // The thread body. Ends after Stop() with the last status sent. Throws what ends the session.
  void Run();
  void Stop();
  const std::atomic<bool>& is_behind() const { return pace_.is_behind(); }
  // Tables announced by blue; grows when one of them has changed.
  uint64_t announcement_count() const {
    return announcement_count_.load(std::memory_order_relaxed);
  }
  // False while the backlog is read ahead.
  bool is_streaming() const { return is_streaming_.load(std::memory_order_acquire); }
  // Blue refused a chunk: the next session had better stream.
  bool has_read_ahead_failed() const {
    return has_read_ahead_failed_.load(std::memory_order_acquire);
  }
  // Everything up to until_lsn is committed on green, but green has not flushed it yet.
  bool is_awaiting_flush() const { return is_awaiting_flush_.load(std::memory_order_acquire); }
  // Everything up to until_lsn has been received and is durable on green.
  bool is_done() const { return is_done_.load(std::memory_order_acquire); }

 private:
  enum class Step : uint8_t { kMoved, kBlocked, kIdle };

  void ReadBacklog();
  bool ReadChunk();
  void StartStream();
  void OnPosition(pg::Lsn lsn);
  Step ReadSome();
  void OnFrame(std::string_view payload);
  void OnMessage(pg::Lsn lsn, std::string_view message);
  void OnKeepalive(const decoder::Keepalive& keepalive);
  void OnTransaction(std::unique_ptr<decoder::Transaction> transaction);
  bool HandOver();
  void CheckDone();
  void CheckSilence();
  void AdvanceIdle(Clock::time_point now);
  void SendStatus(Clock::time_point now);
  void WakeBatcher();
  void Wait(Step step);

  const ReceiverOptions options_;
  pg::ReplicationConnection& stream_;
  decoder::Assembler& assembler_;
  Transactions& ring_;
  Progress& progress_;
  Doorbell& wake_;
  Doorbell& news_;
  Feedback feedback_;
  std::unique_ptr<decoder::Transaction> pending_;  // complete, but the ring is full
  pg::Lsn passed_on_;      // end LSN of the last transaction (or idle position) in the ring
  pg::Lsn keepalive_lsn_;  // everything before it has been received
  Clock::time_point last_advance_{};
  bool has_pushed_ = false;  // since the batcher was woken
  StreamPace<> pace_;
  Silence silence_;
  // Not null while the stream has not begun.
  const std::unique_ptr<ReadAhead> read_ahead_;
  std::atomic<bool> is_streaming_;
  std::atomic<bool> has_read_ahead_failed_ = false;
  std::atomic<uint64_t> announcement_count_ = 0;
  bool has_reached_end_ = false;  // nothing more is to be received
  std::atomic<bool> is_awaiting_flush_ = false;
  std::atomic<bool> is_done_ = false;
  std::atomic<bool> is_stopping_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_RECEIVER_H_
