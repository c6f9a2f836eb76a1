#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "pipeline/cleanup.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

struct CleanupFlags {
  CommonOptions common;
  bool json = false;
};

constexpr const char* kExamples = R"(Example:
  pgteal cleanup --source "host=blue dbname=app" --target "host=green dbname=app"
The tables of both sides and their rows stay as they are.
)";

int Cleanup(const CleanupFlags& flags) {
  const pipeline::Deployment deployment{.source = ParseSource(flags.common),
                                        .target = ParseTarget(flags.common),
                                        .name = flags.common.name};
  const auto removed =
      pipeline::CleanUp(deployment, {.application_name = "pgteal " + deployment.name});
  if (flags.json) {
    std::cout << nlohmann::json{{"removed", removed}}.dump() << "\n";
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
  verb->add_flag("--json", flags->json, "Machine-readable output");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = Cleanup(*flags); });
}

}  // namespace pgteal::tools
