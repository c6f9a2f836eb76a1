#include "pipeline/answer_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

constexpr std::chrono::milliseconds kLook{200};

}  // namespace

AnswerWatch::AnswerWatch(Supervisor& supervisor, const applier::SideNames& sides,
                         std::chrono::milliseconds timeout)
    : sides_(sides), timeout_(timeout) {
  if (timeout.count() == 0) return;
  thread_ = supervisor.Start([this] { Run(); }, [&supervisor] { supervisor.interrupt().Raise(); });
}

AnswerWatch::~AnswerWatch() {
  is_over_.store(true, std::memory_order_release);
  wake_.Ring();
}

void AnswerWatch::Ask(Side side) {
  if (side != Side::kNobody) {
    asked_at_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  }
  side_.store(side, std::memory_order_release);
}

void AnswerWatch::Run() {
  while (!is_over_.load(std::memory_order_acquire)) {
    const Side side = side_.load(std::memory_order_acquire);
    if (side != Side::kNobody) Judge(side, asked_at_.load(std::memory_order_relaxed));
    wake_.Wait(Clock::now() + kLook);
  }
}

void AnswerWatch::Judge(Side side, Clock::rep asked_at) {
  if (Clock::now() - Clock::time_point(Clock::duration(asked_at)) < timeout_) return;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(timeout_).count();
  if (side == Side::kBlue) {
    throw pg::ConnectionLost(fmt::format("{} has not answered for {} s", sides_.blue, seconds));
  }
  if (std::exchange(told_, asked_at) == asked_at) return;
  spdlog::warn(
      "{} has not answered for {} s: it hangs, or its commits wait for a standby. It is waited "
      "for; "
      "{} keeps its WAL meanwhile",
      sides_.green, seconds, sides_.blue);
}

}  // namespace pgteal::pipeline
