#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pipeline/cleanup.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

struct CleanupFlags {
  CommonOptions common;
  std::string only;  // "blue", "green"; empty: both
  bool json = false;
};

constexpr const char* kExamples = R"(Examples:
  pgteal cleanup --source "host=blue dbname=app" --target "host=green dbname=app"
  pgteal cleanup --only blue      # green is gone: blue's slot would keep its WAL for ever
The tables of both sides and their rows stay as they are.
)";

std::vector<std::string> Remove(const CleanupFlags& flags) {
  const auto& common = flags.common;
  const pg::SessionOptions session{.application_name = "pgteal " + common.name};
  if (flags.only.empty()) {
    return pipeline::CleanUp(
        {.source = ParseSource(common), .target = ParseTarget(common), .name = common.name},
        session);
  }
  const bool is_blue = flags.only == "blue";
  return pipeline::CleanUpOne(is_blue ? ParseSource(common) : ParseTarget(common), common.name,
                              is_blue, session);
}

int Cleanup(const CleanupFlags& flags) {
  const auto removed = Remove(flags);
  if (flags.json) {
    std::cout << JsonText(nlohmann::json{{"removed", removed}}) << "\n";
    return kDone;
  }
  for (const auto& what : removed) std::cout << "removed " << what << "\n";
  if (removed.empty()) std::cout << "nothing to remove\n";
  return kDone;
}

}  // namespace

void AddCleanup(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<CleanupFlags>();
  CLI::App* verb = app->add_subcommand(
      "cleanup", "Remove slots, publication, origins and schema pgteal of a deployment");
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_option("--only", flags->only,
                   "One side, blue or green, while the other cannot be reached")
      ->check(CLI::IsMember({"blue", "green"}));
  verb->add_flag("--json", flags->json, "Machine-readable output");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = Cleanup(*flags); });
}

}  // namespace pgteal::tools
