#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "pipeline/replay.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/cli/options.h"
#include "tools/cli/signals.h"
#include "tools/cli/status_line.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;
using pipeline::ReplayFigures;

struct ReplayFlags {
  CommonOptions common;
  pipeline::ReplayOptions replay;
  std::string until_lsn;
  bool to_nothing = false;
  bool json = false;
};

const std::map<std::string, pipeline::Pace> kPaces = {{"full", pipeline::Pace::kFull},
                                                      {"recorded", pipeline::Pace::kRecorded}};
const std::map<std::string, applier::ConflictPolicy> kPolicies = {
    {"stop", applier::ConflictPolicy::kStop},
    {"skip", applier::ConflictPolicy::kSkip},
    {"overwrite", applier::ConflictPolicy::kOverwrite}};

constexpr const char* kExamples = R"(Examples:
  # green holds what blue held when the first capture began; the same command resumes
  pgteal replay --target "host=green dbname=app user=pgteal" monday.frames tuesday.frames
  # how fast can it be read?
  pgteal replay --null monday.frames
)";

// Shows rates since the last line.
class Rates {
 public:
  explicit Rates(StatusLine& line) : line_(line) {}

  void operator()(const ReplayFigures& now) {
    const double seconds = line_.SecondsIfDue();
    if (seconds == 0) return;
    line_.Show(fmt::format("replayed={} transactions={} changes={} rows/s={:.0f}", now.end_lsn,
                           now.transactions, now.changes,
                           static_cast<double>(now.changes - last_changes_) / seconds));
    last_changes_ = now.changes;
  }

 private:
  StatusLine& line_;
  uint64_t last_changes_ = 0;
};

void Print(const ReplayFlags& flags, const ReplayFigures& figures, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(figures.changes) / seconds : 0;
  if (flags.json) {
    std::cout << JsonText(nlohmann::ordered_json{{"transactions", figures.transactions},
                                                 {"changes", figures.changes},
                                                 {"bytes", figures.bytes},
                                                 {"seconds", seconds},
                                                 {"changes_per_second", rate},
                                                 {"end_lsn", figures.end_lsn.ToString()}})
              << "\n";
    return;
  }
  std::cout << fmt::format(
      "{} transactions, {} changes, {} in {:.2f} s: {:.0f} changes/s, up to {}\n",
      figures.transactions, figures.changes, BytesText(figures.bytes), seconds, rate,
      figures.end_lsn);
}

int RunVerb(ReplayFlags& flags) {
  auto& options = flags.replay;
  if (!flags.until_lsn.empty()) options.stream.until_lsn = *pg::Lsn::Parse(flags.until_lsn);
  const auto& stop = StopOnSignals();
  const auto began = Clock::now();
  StatusLine line(isatty(STDERR_FILENO) == 1, std::chrono::seconds(10));
  ReplayFigures figures;
  if (flags.to_nothing) {
    figures = pipeline::ReplayToNothing(options, stop, Rates(line));
  } else {
    const pipeline::Deployment deployment{
        .source = {}, .target = ParseTarget(flags.common), .name = flags.common.name};
    pipeline::Replay replay(deployment, options);
    static_cast<void>(replay.Run(stop, Rates(line)));
    figures = replay.figures();
  }
  Print(flags, figures, std::chrono::duration<double>(Clock::now() - began).count());
  return stop ? kInterrupted : kDone;
}

void AddApplyFlags(CLI::App* verb, ReplayFlags* flags) {
  auto& stream = flags->replay.stream;
  verb->add_option("--lanes", stream.lanes,
                   "Connections to green that apply at the same time; 0: two, four to a far green")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  verb->add_option("--on-conflict", stream.on_conflict,
                   "When green does not hold what blue's change expects: stop, skip, overwrite")
      ->transform(OneOf(kPolicies))
      ->default_str("stop");
  verb->add_option("--batch-rows", stream.batcher.limits.rows_max,
                   "Rows that one commit on green changes at most, about")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  stream.spool_folder = std::filesystem::temp_directory_path().string();
  verb->add_option("--spool-folder", stream.spool_folder,
                   "Folder for transactions too large for memory")
      ->capture_default_str();
}

}  // namespace

void AddReplay(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App* verb = app->add_subcommand("replay", "Apply captures to a target, or to nothing");
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_option("file", flags->replay.paths, "Captures that follow each other, in any order")
      ->required()
      ->type_name("FILE");
  verb->add_flag("--null", flags->to_nothing, "Read, decode and assemble only; needs no target");
  verb->add_option("--speed", flags->replay.pace,
                   "full, or recorded: as long after each other as they were received")
      ->transform(OneOf(kPaces))
      ->default_str("full");
  verb->add_option("--until-lsn", flags->until_lsn, "End at this LSN of blue; nothing beyond it")
      ->check(CheckLsn)
      ->type_name("X/Y");
  AddApplyFlags(verb, flags.get());
  verb->add_flag("--json", flags->json, "Machine-readable output");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = RunVerb(*flags); });
}

}  // namespace pgteal::tools
