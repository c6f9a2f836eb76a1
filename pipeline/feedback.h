#ifndef PGTEAL_PIPELINE_FEEDBACK_H_
#define PGTEAL_PIPELINE_FEEDBACK_H_

#include <chrono>
#include <optional>

#include "decoder/stream_frame.h"
#include "pg/lsn.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

struct FeedbackOptions {
  // At least so often even when nothing moved: half of the shortest sensible wal_sender_timeout.
  std::chrono::milliseconds interval{500};
  // Not more often than this when the flush position moves.
  std::chrono::milliseconds interval_min{50};
};

// What is told to blue and when (PostgreSQL docs, "Standby status update"). Pure: time comes in as
// an argument. Rules, one test each:
//   write = received, apply = committed on green, flush = durable on green;
//   no position ever goes backwards; flush <= apply <= write is kept whatever comes in;
//   a reply that blue asks for is due at once, and the timer runs whether or not we read.
class Feedback {
 public:
  Feedback(const FeedbackOptions& options, pg::Lsn start);

  void Received(pg::Lsn lsn);
  void Applied(pg::Lsn lsn);
  void Durable(pg::Lsn lsn);
  void ReplyRequested() { reply_is_due_ = true; }
  // The next status, due at once, asks blue for a reply.
  void AskForReply() { asks_for_reply_ = true; }

  // A status to send now, if one is due.
  std::optional<decoder::StandbyStatus> Poll(Clock::time_point now);
  // Always a status: the last words before the connection closes.
  decoder::StandbyStatus Final();
  // When Poll may have something next.
  Clock::time_point next_due() const;

 private:
  decoder::StandbyStatus Status() const;

  const FeedbackOptions options_;
  pg::Lsn received_;
  pg::Lsn applied_;
  pg::Lsn durable_;
  pg::Lsn told_durable_;
  pg::Lsn told_applied_;
  bool asks_for_reply_ = false;
  bool reply_is_due_ = true;  // the first status tells blue where we begin
  Clock::time_point last_sent_{};
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FEEDBACK_H_
