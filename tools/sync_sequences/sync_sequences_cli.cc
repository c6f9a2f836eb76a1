#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "pg/error.h"
#include "pipeline/rivals.h"
#include "pipeline/sequence_copy.h"
#include "pipeline/turn.h"
#include "pipeline/turn_lock.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

struct SyncFlags {
  CommonOptions common;
  bool json = false;
};

constexpr const char* kExamples = R"(Example:
  pgteal sync-sequences     # as of now; a switchover does it again behind its fence
)";

int SyncSequences(const SyncFlags& flags) {
  const pipeline::Deployment deployment{.source = ParseSource(flags.common),
                                        .target = ParseTarget(flags.common),
                                        .name = flags.common.name};
  const auto session = pipeline::SessionOptionsFor("sequences", deployment.name, nullptr);
  // After a switchover it is green whose values count.
  const int64_t epoch = pipeline::CurrentEpoch(deployment, session);
  const auto oriented = pipeline::Oriented(deployment, epoch);
  pg::Connection from(oriented.source, session);
  pg::Connection to(oriented.target, session);
  // What has been read would be set on a side that is open by then.
  if (!pipeline::TryShareTurn(from, deployment.name)) {
    throw pg::Refused(fmt::format("a switchover of deployment {} is under way", deployment.name),
                      "It sets the sequences itself, behind its fence.");
  }
  pipeline::RequireEpoch(from, to, deployment.name, epoch);
  pipeline::RequireFollows(to, from, deployment.name);
  const auto begun = std::chrono::steady_clock::now();
  const size_t count = pipeline::CopySequences(from, to, oriented.sides);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  if (flags.json) {
    std::cout << JsonText(nlohmann::json{{"sequences", count}, {"ms", took.count()}}) << "\n";
  } else {
    std::cout << fmt::format("{} sequences in {:.0f} ms\n", count, took.count());
  }
  return kDone;
}

}  // namespace

void AddSyncSequences(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<SyncFlags>();
  CLI::App* verb = app->add_subcommand(
      "sync-sequences", "Set the sequences of the following side to those of the leading one");
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_flag("--json", flags->json, "Machine-readable output");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = SyncSequences(*flags); });
}

}  // namespace pgteal::tools
