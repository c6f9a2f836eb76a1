#ifndef PGTEAL_PIPELINE_TURN_WATCH_H_
#define PGTEAL_PIPELINE_TURN_WATCH_H_

#include <atomic>
#include <string>
#include <thread>

#include "pg/connection.h"
#include "pg/interrupt.h"
#include "pipeline/doorbell.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// Notices that the tool of an unfinished turn is dead, and settles what it left (pipeline/turn.h).
// A living tool drains through the very stream that watches it and is left alone, and so is one
// that is ending its attempt at this moment: only an attempt that was found without its tool at two
// looks in a row counts. Settling happens in a thread and with sessions of its own, so the stream
// never waits for it.
class TurnWatch {
 public:
  explicit TurnWatch(const Deployment& deployment) : deployment_(deployment) {}
  ~TurnWatch();
  TurnWatch(const TurnWatch&) = delete;
  TurnWatch& operator=(const TurnWatch&) = delete;

  // Main thread of a session, often: asks one of the two sides, about once a second, two cheap
  // statements. The sessions are the caller's; throws what they throw.
  void Tick(pg::Connection& source, pg::Connection& target);
  // Main thread: which side Tick() asks next.
  bool asks_target() const { return is_target_next_; }

 private:
  void Look(pg::Connection& side, std::string* suspect);
  void Settle();

  const Deployment& deployment_;
  Clock::time_point next_look_{};
  bool is_target_next_ = false;
  // Attempts that were without their tool at the last look; empty: none.
  std::string source_suspect_;
  std::string target_suspect_;
  std::atomic<bool> is_settling_ = false;
  std::atomic<bool> has_failed_ = false;  // at the last try to settle
  pg::Interrupt interrupt_;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TURN_WATCH_H_
