#include "tools/run/run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "applier/errors.h"
#include "pg/error.h"
#include "pipeline/load_state.h"
#include "pipeline/rivals.h"
#include "pipeline/stream.h"
#include "pipeline/table_state.h"
#include "pipeline/turn.h"
#include "pipeline/way_back.h"
#include "tools/cli/exit_codes.h"
#include "tools/run/load_view.h"
#include "tools/run/progress_line.h"

namespace pgteal::tools {

namespace {

using pipeline::LoadState;
using std::chrono::milliseconds;

// Whoever took the stream away from us did so by a turn or as another process: both sides know.
constexpr milliseconds kEpochPatience{60'000};
constexpr milliseconds kEpochPause{200};

void RequireNoStartLsn(const RunOptions& options, const char* why) {
  if (!options.start_lsn) return;
  throw pg::Refused(fmt::format("deployment {} {}; --start-lsn is for the first start of one whose "
                                "data is there already",
                                options.deployment.name, why),
                    "Leave --start-lsn out to resume, or run `pgteal cleanup` to begin anew.");
}

// What is left to do; none when it was stopped.
std::optional<LoadState> RunLoad(const RunOptions& options, const std::atomic<bool>& stop) {
  LoadView view(options.is_terminal, options.log_interval);
  pipeline::Load load(options.deployment, options.load);
  const auto end =
      load.Run(stop, [&view](const pipeline::LoadProgress& progress) { view.Show(progress); });
  if (end == pipeline::Load::End::kStopped) return std::nullopt;
  return load.state();
}

pipeline::Session::End RunStream(const RunOptions& options,
                                 const pipeline::StreamOptions& stream_options,
                                 const std::atomic<bool>& stop, pipeline::OpenSides sides) {
  ProgressLine line(options.is_terminal, options.log_interval);
  pipeline::Stream stream(options.deployment, stream_options, std::move(sides));
  return stream.Run(stop, [&line](const pipeline::SessionView& view) { line.Show(view); });
}

// How many turns are complete, asked until both sides have answered or patience is over: a side may
// be restarting in the very moment at which they change places.
std::optional<int64_t> AskEpoch(const pipeline::Deployment& deployment,
                                const pg::SessionOptions& session, milliseconds patience,
                                const std::atomic<bool>& stop) {
  const auto until = pipeline::Clock::now() + patience;
  pipeline::Doorbell never;
  while (true) {
    try {
      return pipeline::CurrentEpoch(deployment, session);
    } catch (const pg::Error& error) {
      if (stop.load(std::memory_order_acquire) || pipeline::Clock::now() >= until) return {};
      spdlog::debug("asked again who takes the writes: {}", error.what());
    }
    never.Wait(pipeline::Clock::now() + kEpochPause);
  }
}

LoadState FindLoadState(const RunOptions& options, const pg::SessionOptions& session) {
  pg::Connection green(options.deployment.target, session);
  return pipeline::LoadStateOf(pipeline::DeploymentState(green, options.deployment.name));
}

// A deployment whose rows are on green already.
void Begin(const RunOptions& options, const pg::SessionOptions& session,
           pipeline::OpenSides& sides) {
  const auto& deployment = options.deployment;
  auto& blue = sides.source;
  auto& green = sides.target;
  if (!blue) blue = std::make_unique<pg::Connection>(deployment.source, session);
  if (!green) green = std::make_unique<pg::Connection>(deployment.target, session);
  pipeline::RequireNoRival(*blue, *green, deployment.name, options.load.bootstrap);
  auto source = pipeline::PrepareSource(*blue, deployment, options.load.bootstrap, session);
  pipeline::PrepareTarget(*blue, *green, deployment, std::move(source), options.start_lsn, session);
}

// What was found of the sides as they are given.
void TurnRound(pipeline::SettledEpoch& found) {
  std::swap(found.sides.source, found.sides.target);
  found.target_state.reset();
}

// Everything before the stream, from what was found, whose sessions are for the stream unless it
// has to wait for a load. False when it was stopped.
bool MakeReady(const RunOptions& options, const pg::SessionOptions& session,
               const std::atomic<bool>& stop, pipeline::SettledEpoch& found) {
  auto state = found.target_state ? pipeline::LoadStateOf(*found.target_state)
                                  : FindLoadState(options, session);
  const bool is_copy = options.load.mode != pipeline::CopyMode::kNone;
  if (state == LoadState::kNone) pipeline::RequireNewName(options.deployment.name);
  if (state == LoadState::kLoading && !is_copy) {
    throw pg::Refused("green is only half loaded",
                      "Go on with the --copy that the load began with.");
  }
  if (!options.load.reload.empty() && state != LoadState::kStreaming) {
    throw pg::Refused("--reload-table is for a deployment that streams",
                      "Leave it out until the load is done.");
  }
  if (state == LoadState::kNone && !is_copy) {
    Begin(options, session, found.sides);
    return true;
  }
  RequireNoStartLsn(options,
                    is_copy && state == LoadState::kNone ? "is to be copied" : "has begun already");
  if (state == LoadState::kStreaming && options.load.reload.empty()) return true;
  found = {};
  if (state == LoadState::kNone || state == LoadState::kLoading || !options.load.reload.empty()) {
    const auto left = RunLoad(options, stop);
    if (!left) return false;
    state = *left;
  }
  if (state != LoadState::kCatchingUp) return true;
  auto catch_up = options.stream;
  catch_up.until_caught_up = false;
  catch_up.until_lsn = pipeline::CatchUpGoal(options.deployment, session);
  if (RunStream(options, catch_up, stop, {}) != pipeline::Session::End::kDone) return false;
  pipeline::FinishCatchUp(options.deployment, session);
  return true;
}

}  // namespace

int Run(const RunOptions& options, const std::atomic<bool>& stop, const pg::Interrupt& interrupt) {
  const pg::SessionOptions session{.application_name = "pgteal " + options.deployment.name,
                                   .interrupt = &interrupt};
  // A living switchover drains through us: that one is left alone.
  auto found = pipeline::SettleAndFindEpoch(options.deployment, session);
  if (found.settled == pipeline::Settled::kUndone) {
    spdlog::warn("an unfinished switchover was undone");
  }
  int64_t epoch = found.epoch;
  RunOptions left = options;
  while (true) {
    RunOptions oriented = left;
    oriented.deployment = pipeline::Oriented(options.deployment, epoch);
    const bool is_back = epoch % 2 == 1;
    auto first_look = std::exchange(found, {});
    try {
      if (epoch > 0 && !pipeline::IsArmed(oriented.deployment, session)) {
        spdlog::info(
            "done: {} takes the writes and no way back was armed, so nothing is left to stream; "
            "next step: `pgteal cleanup`",
            is_back ? "green" : "blue");
        return kDone;
      }
      if (is_back) spdlog::info("green takes the writes: streaming back to blue");
      if (is_back) TurnRound(first_look);
      const bool is_ready = (is_back && oriented.load.reload.empty()) ||
                            MakeReady(oriented, session, stop, first_look);
      // Done once and for all: not to be done again after a turn and another one back.
      left.start_lsn.reset();
      left.load.reload.clear();
      if (is_ready && RunStream(oriented, oriented.stream, stop, std::move(first_look.sides)) ==
                          pipeline::Session::End::kDone) {
        spdlog::info("done: {} holds everything up to the chosen position",
                     is_back ? "blue" : "green");
        return kDone;
      }
    } catch (const pg::Error& error) {
      const bool is_taken = dynamic_cast<const applier::TakenOver*>(&error) != nullptr;
      const auto is_stopped = [&] { return is_taken && stop.load(std::memory_order_acquire); };
      const milliseconds patience = is_taken ? kEpochPatience : milliseconds(0);
      const int64_t now =
          is_stopped() ? epoch
                       : AskEpoch(options.deployment, session, patience, stop).value_or(epoch);
      // Who has taken it, the other direction's stream or another process, is theirs to know; the
      // stop may also have come while that was asked.
      if (is_stopped()) {
        spdlog::info("stopped; meanwhile {}", error.what());
        return kInterrupted;
      }
      if (now == epoch) throw;
      epoch = now;
      spdlog::info("the sides have changed places ({})", error.what());
      continue;
    }
    spdlog::info("stopped cleanly; the same command resumes");
    return kInterrupted;
  }
}

}  // namespace pgteal::tools
