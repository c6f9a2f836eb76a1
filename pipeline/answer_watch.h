#ifndef PGTEAL_PIPELINE_ANSWER_WATCH_H_
#define PGTEAL_PIPELINE_ANSWER_WATCH_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "applier/side_names.h"
#include "pipeline/doorbell.h"
#include "pipeline/supervisor.h"

namespace pgteal::pipeline {

// Looks after what the main thread asks while a session works: living servers answer all of it in
// milliseconds. A blue that has not answered for the timeout may be frozen, and the session fails
// with ConnectionLost, for another one may find a blue that is alive. A green is only told of: its
// commits may wait for a standby, and nothing is lost by waiting. A thread of its own.
class AnswerWatch {
 public:
  enum class Side : uint8_t { kNobody, kBlue, kGreen };

  // A timeout of zero: never. Supervisor and names outlive it.
  AnswerWatch(Supervisor& supervisor, const applier::SideNames& sides,
              std::chrono::milliseconds timeout);
  ~AnswerWatch();
  AnswerWatch(const AnswerWatch&) = delete;
  AnswerWatch& operator=(const AnswerWatch&) = delete;

  // Main thread: as long as it lives, that side is asked.
  class Question {
   public:
    Question(AnswerWatch& watch, Side side) : watch_(watch) { watch_.Ask(side); }
    ~Question() { watch_.Ask(Side::kNobody); }
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;

   private:
    AnswerWatch& watch_;
  };

 private:
  void Ask(Side side);
  void Run();
  void Judge(Side side, Clock::rep asked_at);

  const applier::SideNames& sides_;
  const std::chrono::milliseconds timeout_;
  // Written before `side_`, so that whoever reads it after that one reads this question's or a
  // later one's.
  std::atomic<Clock::rep> asked_at_ = 0;
  std::atomic<Side> side_ = Side::kNobody;
  Clock::rep told_ = 0;  // the question that was told of; the watch's thread
  Doorbell wake_;
  std::atomic<bool> is_over_ = false;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_ANSWER_WATCH_H_
