#include <filesystem>
#include <iostream>
#include <memory>

#include "tools/cli/options.h"
#include "tools/cli/verbs.h"
#include "tools/inspect/inspect.h"

namespace pgteal::tools {
namespace {

struct InspectFlags {
  InspectOptions inspect;
  std::string from;
  std::string until;
};

constexpr const char* kExamples = R"(Examples:
  pgteal inspect --summary monday.frames
  # what happened to one table, one JSON object a line
  pgteal inspect --json --table public.orders monday.frames
)";

int RunVerb(InspectFlags& flags) {
  if (!flags.from.empty()) flags.inspect.from = *pg::Lsn::Parse(flags.from);
  if (!flags.until.empty()) flags.inspect.until = *pg::Lsn::Parse(flags.until);
  return Inspect(flags.inspect, std::cout);
}

}  // namespace

void AddInspect(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<InspectFlags>();
  auto& inspect = flags->inspect;
  inspect.spool_folder = std::filesystem::temp_directory_path().string();
  CLI::App* verb = app->add_subcommand("inspect", "Print what a capture holds, rows and all");
  verb->add_option("file", inspect.path, "The capture")->required()->type_name("FILE");
  verb->add_flag("--json", inspect.json, "One JSON object a line");
  verb->add_flag("--summary", inspect.summary, "Counts by table instead of changes");
  verb->add_option("--from", flags->from, "Only transactions that end at this LSN or later")
      ->check(CheckLsn)
      ->type_name("X/Y");
  verb->add_option("--until", flags->until, "Only transactions that end at this LSN or earlier")
      ->check(CheckLsn)
      ->type_name("X/Y");
  verb->add_option("--table", inspect.tables, "Only changes of this [schema.]table; repeatable")
      ->type_name("TABLE");
  verb->add_option("--spool-folder", inspect.spool_folder,
                   "Folder for transactions too large for memory")
      ->capture_default_str();
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = RunVerb(*flags); });
}

}  // namespace pgteal::tools
