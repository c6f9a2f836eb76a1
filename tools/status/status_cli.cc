#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>

#include "pg/error.h"
#include "pipeline/doorbell.h"
#include "pipeline/turn.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/options.h"
#include "tools/cli/signals.h"
#include "tools/cli/verbs.h"
#include "tools/status/status.h"

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;

struct StatusFlags {
  CommonOptions common;
  bool json = false;
  bool watch = false;
  int interval_seconds = 2;
};

constexpr const char* kExamples = R"(Examples:
  pgteal status
  pgteal status --watch
  pgteal status --json | jq .lag_bytes
Works whether `pgteal run` is at work or not. Exit code 3: there is no such deployment;
1: a server cannot be reached, and what the other one knows is shown.
)";

// Rates of a single look are measured over this time.
constexpr std::chrono::milliseconds kSample{400};

void Wait(Clock::duration time, const std::atomic<bool>& stop) {
  pipeline::Doorbell never;
  const auto until = Clock::now() + time;
  while (!stop.load() && Clock::now() < until) {
    never.Wait(std::min(until, Clock::now() + std::chrono::milliseconds(100)));
  }
}

// What a tool that died in the middle of a switchover left behind must not wait for a person.
void Settle(const pipeline::Deployment& deployment, const pg::SessionOptions& session) {
  try {
    switch (pipeline::SettleTurn(deployment, "", session)) {
      case pipeline::Settled::kUndone:
        spdlog::warn("a switchover had been left unfinished: it was undone");
        break;
      case pipeline::Settled::kFinished:
        spdlog::warn("a switchover had been left unfinished: it was finished");
        break;
      default:
        break;
    }
  } catch (const pg::Error& error) {
    spdlog::warn("{}", error.what());
  }
}

int ShowStatus(const StatusFlags& flags) {
  const pipeline::Deployment deployment{.source = ParseSource(flags.common),
                                        .target = ParseTarget(flags.common),
                                        .name = flags.common.name};
  const auto session = pipeline::SessionOptionsFor("status", deployment.name, nullptr);
  const auto& stop = StopOnSignals();
  Settle(deployment, session);
  StatusReader reader(deployment, session);
  Status before = reader.Read();
  auto seen_at = Clock::now();
  Wait(before.state.empty() ? Clock::duration{} : kSample, stop);
  while (true) {
    const Status now = reader.Read();
    const auto rates = RatesBetween(before, now, Clock::now() - seen_at);
    seen_at = Clock::now();
    if (flags.watch && !flags.json && isatty(STDOUT_FILENO) == 1) {
      std::cout << "\033[H\033[2J";  // home, clear
    }
    std::cout << (flags.json ? StatusJson(now, rates) + "\n" : StatusText(now, rates))
              << std::flush;
    if (!std::cout) return kFailed;  // nobody looks any more
    if (!flags.watch && !now.unreachable.empty()) return kFailed;
    if (!flags.watch) return now.state.empty() ? kRefused : kDone;
    before = now;
    Wait(std::chrono::seconds(flags.interval_seconds), stop);
    if (stop.load()) return kInterrupted;
  }
}

}  // namespace

void AddStatus(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<StatusFlags>();
  CLI::App* verb =
      app->add_subcommand("status", "State, lag, rates, slot, copy state and last events");
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_flag("--watch", flags->watch, "Again and again until Ctrl-C");
  verb->add_option("--interval", flags->interval_seconds, "Seconds between two looks of --watch")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  verb->add_flag("--json", flags->json, "One JSON object a look");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = ShowStatus(*flags); });
}

}  // namespace pgteal::tools
