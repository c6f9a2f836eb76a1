#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "pg/error.h"
#include "pipeline/capture.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/cli/options.h"
#include "tools/cli/signals.h"
#include "tools/cli/status_line.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

struct CaptureFlags {
  CommonOptions common;
  pipeline::CaptureOptions capture;
  std::string until_lsn;
  double duration_seconds = 0;
  bool json = false;
};

constexpr const char* kExamples = R"(Examples:
  # record until Ctrl-C; the next capture goes on exactly where this one ended
  pgteal capture --source "host=blue dbname=app user=pgteal" --output monday.frames
  # half a minute, with a slot that leaves nothing behind
  pgteal capture --temporary --duration 30 --output sample.frames
The file holds rows: it is readable by its owner only. The slot NAME_capture keeps WAL on blue
between captures; `pgteal cleanup` removes it.
)";

const std::map<std::string, bool> kSwitch = {{"on", true}, {"off", false}};

// Before anything is made on blue, because a slot that nobody reads keeps WAL.
void RequireNewFile(const std::string& path) {
  namespace fs = std::filesystem;
  if (fs::exists(path)) {
    throw pg::ConfigError(path + " exists already",
                          "Choose another --output; nothing is overwritten.");
  }
  const auto folder = fs::absolute(path).parent_path();
  if (!fs::is_directory(folder) || access(folder.c_str(), W_OK) != 0) {
    throw pg::ConfigError(fmt::format("cannot create files in folder {}", folder.string()),
                          "Choose another --output.");
  }
}

void RequireFit(const pipeline::CaptureOptions& options) {
  if (!options.is_streaming || options.proto_version >= 2) return;
  throw pg::ConfigError("--streaming on needs --proto-version 2 or higher", "Add --streaming off.");
}

void Print(const CaptureFlags& flags, const pipeline::CaptureFigures& figures) {
  if (flags.json) {
    std::cout << JsonText(nlohmann::ordered_json{{"file", flags.capture.path},
                                                 {"slot", figures.slot},
                                                 {"start_lsn", figures.start_lsn.ToString()},
                                                 {"end_lsn", figures.end_lsn.ToString()},
                                                 {"transactions", figures.transactions},
                                                 {"messages", figures.messages},
                                                 {"file_bytes", figures.file_bytes}})
              << "\n";
    return;
  }
  std::cout << fmt::format("{}: everything committed from {} to {}, {} transactions, {}\n",
                           flags.capture.path, figures.start_lsn, figures.end_lsn,
                           figures.transactions, BytesText(figures.file_bytes));
}

int RunVerb(CaptureFlags& flags) {
  auto& options = flags.capture;
  if (!flags.until_lsn.empty()) options.until_lsn = *pg::Lsn::Parse(flags.until_lsn);
  if (flags.duration_seconds > 0) {
    options.duration =
        std::chrono::milliseconds(static_cast<int64_t>(flags.duration_seconds * 1000));
  }
  options.pgteal_version = PGTEAL_VERSION;
  const pipeline::Deployment deployment{
      .source = ParseSource(flags.common), .target = {}, .name = flags.common.name};
  RequireFit(options);
  RequireNewFile(options.path);
  StatusLine line(isatty(STDERR_FILENO) == 1, std::chrono::seconds(10));
  const auto& stop = StopOnSignals();
  pipeline::Capture capture(deployment, options);
  const auto figures = capture.Run(stop, [&line](const pipeline::CaptureFigures& now) {
    if (line.SecondsIfDue() == 0) return;
    line.Show(fmt::format("captured={} transactions={} file={}", now.end_lsn, now.transactions,
                          BytesText(now.file_bytes)));
  });
  if (figures.start_lsn.is_valid()) Print(flags, figures);
  return stop ? kInterrupted : kDone;
}

void AddEnds(CLI::App* verb, CaptureFlags* flags) {
  auto* caught_up = verb->add_flag("--until-caught-up", flags->capture.until_caught_up,
                                   "End once everything that blue held at the start is recorded");
  verb->add_option("--until-lsn", flags->until_lsn,
                   "End at this LSN of blue; nothing that commits beyond it")
      ->check(CheckLsn)
      ->type_name("X/Y")
      ->excludes(caught_up);
  verb->add_option("--duration", flags->duration_seconds, "End after so many seconds")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
}

}  // namespace

void AddCapture(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<CaptureFlags>();
  CLI::App* verb = app->add_subcommand("capture", "Record blue's raw stream to a file");
  AddSource(verb, &flags->common);
  AddName(verb, &flags->common);
  auto& capture = flags->capture;
  verb->add_option("-o,--output", capture.path, "The file to write; it must not exist")
      ->required()
      ->type_name("FILE");
  verb->add_flag("--temporary", capture.is_temporary,
                 "Use a slot that ends with this capture, and begin now");
  AddEnds(verb, flags.get());
  verb->add_option("--binary", capture.is_binary, "Values in binary form: on, off")
      ->transform(OneOf(kSwitch))
      ->default_str("off");
  verb->add_option("--streaming", capture.is_streaming,
                   "Large transactions before their commit: on, off")
      ->transform(OneOf(kSwitch))
      ->default_str("on");
  verb->add_option("--proto-version", capture.proto_version, "Version of blue's stream protocol")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  verb->add_flag("--json", flags->json, "Machine-readable output");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = RunVerb(*flags); });
}

}  // namespace pgteal::tools
