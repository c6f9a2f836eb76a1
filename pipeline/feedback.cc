#include "pipeline/feedback.h"

#include <algorithm>
#include <utility>

namespace pgteal::pipeline {

Feedback::Feedback(const FeedbackOptions& options, pg::Lsn start)
    : options_(options),
      received_(start),
      applied_(start),
      durable_(start),
      told_durable_(start),
      told_applied_(start) {}

void Feedback::Received(pg::Lsn lsn) { received_ = std::max(received_, lsn); }

void Feedback::Applied(pg::Lsn lsn) { applied_ = std::max(applied_, lsn); }

void Feedback::Durable(pg::Lsn lsn) { durable_ = std::max(durable_, lsn); }

std::optional<decoder::StandbyStatus> Feedback::Poll(Clock::time_point now) {
  if (!reply_is_due_ && !asks_for_reply_ && now < next_due()) return std::nullopt;
  last_sent_ = now;
  return Final();
}

decoder::StandbyStatus Feedback::Final() {
  reply_is_due_ = false;
  auto status = Status();
  status.reply_requested = std::exchange(asks_for_reply_, false);
  told_durable_ = status.flush_lsn;
  told_applied_ = status.apply_lsn;
  return status;
}

Clock::time_point Feedback::next_due() const {
  const bool has_news = durable_ > told_durable_ || applied_ > told_applied_;
  return last_sent_ + (has_news ? options_.interval_min : options_.interval);
}

decoder::StandbyStatus Feedback::Status() const {
  // Whatever came in: what is durable is applied, what is applied was received.
  const pg::Lsn write = std::max({received_, applied_, durable_});
  const pg::Lsn apply = std::max(applied_, durable_);
  return {.write_lsn = write,
          .flush_lsn = durable_,
          .apply_lsn = apply,
          .client_time = pg::Timestamp::From(std::chrono::system_clock::now()),
          .reply_requested = false};
}

}  // namespace pgteal::pipeline
