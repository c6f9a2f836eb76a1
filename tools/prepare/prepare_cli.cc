#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "pipeline/bootstrap.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

struct PrepareFlags {
  CommonOptions common;
  pipeline::BootstrapOptions bootstrap;
  bool json = false;
};

constexpr const char* kExamples = R"(Example:
  pgteal prepare --source "host=blue dbname=app user=pgteal"
  # take the physical snapshot of blue, restore it as green, perhaps upgrade it, then:
  pgteal run --copy none --start-lsn <the LSN that green was restored to>
)";

int Prepare(const PrepareFlags& flags) {
  const pipeline::Deployment deployment{
      .source = ParseSource(flags.common), .target = {}, .name = flags.common.name};
  const pg::SessionOptions session{.application_name = "pgteal " + deployment.name};
  pg::Connection blue(deployment.source, session);
  pipeline::PreparePublication(blue, deployment, flags.bootstrap);
  pipeline::KeepMembership(blue, deployment.name);
  const pg::Slot slot = pipeline::PrepareSource(blue, deployment, flags.bootstrap, session).slot;
  if (flags.json) {
    std::cout << JsonText(
                     nlohmann::json{{"slot", slot.name},
                                    {"publication", deployment.name},
                                    {"confirmed_flush_lsn", slot.confirmed_flush_lsn.ToString()},
                                    {"restart_lsn", slot.restart_lsn.ToString()}})
              << "\n";
  } else {
    std::cout << fmt::format(
        "publication {} and slot {} are ready on blue at {}\n"
        "Blue keeps its WAL from {} on: do not leave the slot behind (pgteal cleanup removes "
        "it).\n",
        deployment.name, slot.name, slot.confirmed_flush_lsn, slot.restart_lsn);
  }
  return kDone;
}

}  // namespace

void AddPrepare(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<PrepareFlags>();
  CLI::App* verb = app->add_subcommand(
      "prepare", "Publication and slot on blue, nothing else: before a physical snapshot is taken");
  flags->bootstrap.may_set_replica_identity = false;
  AddSource(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_option("--include-table", flags->bootstrap.include_tables,
                   "Publish only tables that match [schema.]table with * and ?; repeatable")
      ->type_name("PATTERN");
  verb->add_option("--exclude-table", flags->bootstrap.exclude_tables,
                   "Do not publish tables that match; repeatable")
      ->type_name("PATTERN");
  verb->add_flag("--json", flags->json, "Machine-readable output");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = Prepare(*flags); });
}

}  // namespace pgteal::tools
