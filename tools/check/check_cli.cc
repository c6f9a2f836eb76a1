#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

#include "pg/error.h"
#include "pipeline/options.h"
#include "pipeline/table_state.h"
#include "pipeline/turn.h"
#include "tools/check/check.h"
#include "tools/check/report.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

struct CheckFlags {
  CommonOptions common;
  CheckOptions check;
  std::vector<std::string> only;
  std::vector<std::string> skip;
  std::string phase = "auto";
  std::string side = "all";
  unsigned long_transaction = 300;
  bool json = false;
};

const std::map<std::string, CheckPhase> kPhases = {{"before", CheckPhase::kBefore},
                                                   {"running", CheckPhase::kRunning},
                                                   {"switchover", CheckPhase::kSwitchover}};
const std::map<std::string, CheckSide> kSides = {
    {"blue", CheckSide::kBlue}, {"green", CheckSide::kGreen}, {"both", CheckSide::kPair}};
const std::map<std::string, CheckCopy> kCopies = {
    {"all", CheckCopy::kAll}, {"data", CheckCopy::kData}, {"none", CheckCopy::kNone}};

constexpr const char* kExamples = R"(Examples:
  pgteal check --source "host=blue dbname=app"         # blue alone, before anything exists
  pgteal check --copy data                             # both, for `run --copy data`
  pgteal check --phase switchover                      # what a switchover would refuse
  pgteal check --only D1,D19 --json
)";

std::unique_ptr<pg::Connection> Connect(const std::string& text, const std::string& option,
                                        const std::string& name) {
  if (text.empty()) return nullptr;
  return std::make_unique<pg::Connection>(ParseConnInfo(text, option),
                                          pipeline::SessionOptionsFor("check", name, nullptr));
}

CheckPhase FindPhase(const CheckFlags& flags, pg::Connection* green) {
  if (flags.phase != "auto") return kPhases.at(flags.phase);
  if (green == nullptr) return CheckPhase::kBefore;
  try {
    return pipeline::DeploymentState(*green, flags.common.name).empty() ? CheckPhase::kBefore
                                                                        : CheckPhase::kRunning;
  } catch (const pg::ServerError&) {
    return CheckPhase::kRunning;  // schema pgteal is there, and not for our role
  }
}

// After an odd number of switchovers the checks are about the way back.
bool HasTurned(pg::Connection* blue, pg::Connection* green, const std::string& name) {
  if (blue == nullptr || green == nullptr) return false;
  try {
    const auto epoch =
        std::max(pipeline::ReadTurn(*blue, name).epoch, pipeline::ReadTurn(*green, name).epoch);
    return epoch % 2 == 1;
  } catch (const pg::ServerError&) {
    return false;  // schema pgteal is there, and not for our role
  }
}

int CheckVerb(CheckFlags& flags) {
  RequireKnownChecks("--only", flags.only);
  RequireKnownChecks("--skip", flags.skip);
  if (flags.common.source.empty() && flags.common.target.empty()) (void)ParseSource(flags.common);
  auto blue = Connect(flags.common.source, "--source", flags.common.name);
  auto green = Connect(flags.common.target, "--target", flags.common.name);
  auto& options = flags.check;
  if (HasTurned(blue.get(), green.get(), flags.common.name)) {
    spdlog::info("green takes the writes: these checks are of the way back to blue");
    std::swap(blue, green);
    std::swap(flags.common.source, flags.common.target);
    options.sides = applier::SideNamesAt(1);
  }
  options.name = flags.common.name;
  options.phase = FindPhase(flags, green.get());
  options.only = {flags.only.begin(), flags.only.end()};
  options.skip = {flags.skip.begin(), flags.skip.end()};
  if (flags.side != "all") options.side = kSides.at(flags.side);
  if (blue) options.source = pg::ConnInfo::Parse(flags.common.source);
  options.long_transaction = std::chrono::seconds(flags.long_transaction);
  const auto results = RunChecks(blue.get(), green.get(), options);
  const ReportOptions report{.findings_max = 10, .is_color = isatty(STDOUT_FILENO) == 1};
  std::cout << (flags.json ? CheckJson(results) + "\n" : CheckText(results, report));
  return FatalOf(results).empty() ? kDone : kRefused;
}

}  // namespace

void AddCheck(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* verb = app->add_subcommand(
      "check", "What stands in the way of a deployment or a switchover, with the SQL that helps");
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_option("--phase", flags->phase,
                   "before, running or switchover; auto: before or running, as green says")
      ->check(CLI::IsMember({"auto", "before", "running", "switchover"}))
      ->capture_default_str();
  verb->add_option("--copy", flags->check.copy,
                   "What `run` is going to copy: all, data, none; before a deployment exists")
      ->transform(OneOf(kCopies))
      ->default_str("all");
  verb->add_option("--only", flags->only, "These checks alone")->delimiter(',')->type_name("ID");
  verb->add_option("--skip", flags->skip, "Leave these out")->delimiter(',')->type_name("ID");
  verb->add_option("--side", flags->side,
                   "Checks of one server, or those that look at both: blue, green, both")
      ->check(CLI::IsMember({"all", "blue", "green", "both"}))
      ->capture_default_str();
  verb->add_option("--long-transaction", flags->long_transaction,
                   "Age in seconds from which a transaction is a long one")
      ->capture_default_str();
  verb->add_option("--leave-role", flags->check.leave_roles,
                   "A role that the switchover is to leave alone; repeatable")
      ->type_name("ROLE");
  verb->add_flag("--json", flags->json, "Machine-readable output, with every finding");
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = CheckVerb(*flags); });
}

}  // namespace pgteal::tools
