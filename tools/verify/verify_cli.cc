#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "pipeline/verify.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/cli/options.h"
#include "tools/cli/signals.h"
#include "tools/cli/verbs.h"
#include "tools/verify/verify_report.h"
#include "tools/verify/verify_view.h"

namespace pgteal::tools {
namespace {

struct VerifyFlags {
  CommonOptions common;
  pipeline::VerifyOptions verify;
  double rate_mb = 0;
  int hold_max_ms = 700;
  bool json = false;
};

constexpr const char* kExamples = R"(Examples:
  # while `pgteal run` streams: every published table, row by row, at one LSN
  pgteal verify --source "host=blue dbname=app" --target "host=green dbname=app"
  # gently, and for a program
  pgteal verify --jobs 1 --max-rate 50 --json
Exit code 0: green equals blue; 4: it does not.
)";

int RunVerb(VerifyFlags& flags) {
  auto options = flags.verify;
  options.limits.bytes_per_second_max = static_cast<uint64_t>(flags.rate_mb * 1e6);
  options.hold_max = std::chrono::milliseconds(flags.hold_max_ms);
  const pipeline::Deployment deployment{.source = ParseSource(flags.common),
                                        .target = ParseTarget(flags.common),
                                        .name = flags.common.name};
  const auto& stop = StopOnSignals();
  pipeline::VerifyResult result;
  {
    VerifyView view(isatty(STDERR_FILENO) == 1);
    result = pipeline::Verify(
        deployment, options, stop,
        [&view](const pipeline::VerifyProgress& progress) { view.Show(progress); });
  }
  std::cout << (flags.json ? JsonText(VerifyJson(result)) + "\n" : VerifyText(result));
  return result.is_equal() ? kDone : kDifferent;
}

void AddFlags(CLI::App* verb, VerifyFlags* flags) {
  auto& options = flags->verify;
  verb->add_option("--jobs", options.jobs, "Sessions that read on each server")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->add_option("--max-rate", flags->rate_mb,
                   "Read no more than so many MB a second on each server; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--max-differences", options.limits.differences_max,
                   "Rows to name, of each table")
      ->capture_default_str();
  verb->add_option("--hold-max", flags->hold_max_ms,
                   "Milliseconds that the stream may stand still while blue makes its snapshot")
      ->check(CLI::Range(50, 4000))
      ->capture_default_str();
  verb->add_option("--include-table", options.include_tables,
                   "Compare only tables that match [schema.]table with * and ?; repeatable")
      ->type_name("PATTERN");
  verb->add_option("--exclude-table", options.exclude_tables,
                   "Do not compare tables that match; repeatable")
      ->type_name("PATTERN");
  options.stream.spool_folder = std::filesystem::temp_directory_path().string();
  verb->add_option("--spool-folder", options.stream.spool_folder,
                   "Folder for transactions too large for memory, when no `run` streams")
      ->capture_default_str();
  verb->add_flag(
      "--repair", options.repair,
      "Write blue's version of rows that differ to green, unless they have changed since");
  verb->add_option("--max-repair-rows", options.repair_rows_max,
                   "Repair nothing if more rows than this differ")
      ->capture_default_str();
  verb->add_flag("--json", flags->json, "Machine-readable output");
}

}  // namespace

void AddVerify(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* verb = app->add_subcommand(
      "verify", "Compare blue and green row by row at one LSN, while traffic flows");
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  AddFlags(verb, flags.get());
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = RunVerb(*flags); });
}

}  // namespace pgteal::tools
