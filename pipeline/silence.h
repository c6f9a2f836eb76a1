#ifndef PGTEAL_PIPELINE_SILENCE_H_
#define PGTEAL_PIPELINE_SILENCE_H_

#include <chrono>
#include <utility>

#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// How long a server that ought to be heard has been silent. Like wal_receiver_timeout: at half of
// the timeout it is to be asked for a reply, after the whole it may be frozen. Only what was
// waited for the server counts, so that neither a held-up green nor a sleep of our own machine is
// held against it. Pure: time comes in as an argument. One thread.
class Silence {
 public:
  // Zero: never too long.
  explicit Silence(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  // A wait in which nothing came.
  void Add(Clock::duration waited) { silent_ += waited; }
  // It has said something.
  void End() {
    silent_ = {};
    has_asked_ = false;
    has_told_ = false;
  }

  // Once a silence.
  bool IsTimeToAsk() {
    return timeout_.count() > 0 && silent_ * 2 >= timeout_ && !std::exchange(has_asked_, true);
  }
  bool IsTooLong() const { return timeout_.count() > 0 && silent_ >= timeout_; }
  // Once a silence that is too long.
  bool IsTimeToTell() { return IsTooLong() && !std::exchange(has_told_, true); }

 private:
  const std::chrono::milliseconds timeout_;
  Clock::duration silent_{};
  bool has_asked_ = false;
  bool has_told_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SILENCE_H_
