#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/pgteal_process.h"
#include "tests/support/temp_folder.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

// What the program as a whole makes of its command line and configuration file; no server is asked.
class CommandLine : public testing::Test {
 protected:
  int Run(const std::vector<std::string>& args) {
    process_ = std::make_unique<PgtealProcess>(args);
    return process_->WaitExit().value_or(-1);
  }
  int RunWithConfig(const std::string& config) {
    std::ofstream(folder_ / "pgteal.toml") << config;
    return Run({"--config", folder_ / "pgteal.toml", "run"});
  }
  // Of what was run last.
  std::string Log() const { return process_->Log(); }

  TempFolder folder_{"pgteal-command-line-test"};
  std::unique_ptr<PgtealProcess> process_;
};

TEST_F(CommandLine, AConfigurationFileOfUnknownKeysIsRefused) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"[run]\non-conflct=\"skip\"\n", "no option run.on-conflct"},
      {"[run]\nlanes=4\nlanse=4\n", "no option run.lanse"},
      {"[runn]\nlanes=4\n", "[runn]"},
      {"log-levle=\"debug\"\n", "no option log-levle"},
      {"[verify]\njbos=2\n", "no option verify.jbos"},
      {"[run]\non-conflict=\"nonsense\"\n", "--on-conflict"}};
  for (const auto& [config, named] : refused) {
    EXPECT_EQ(RunWithConfig(config), 2) << config;
    EXPECT_THAT(Log(), HasSubstr(named)) << config;
  }
  // Known keys are taken, also those of another verb: what is missing is --source.
  EXPECT_EQ(RunWithConfig("log-level=\"debug\"\n[run]\nlanes=4\n[verify]\njobs=2\n"), 2);
  EXPECT_THAT(Log(), HasSubstr("--source is missing"));
}

TEST_F(CommandLine, WhatIsWrongIsNamedWithTheChoices) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> refused = {
      {{"rnu", "--copy", "none"}, "there is no command rnu"},
      {{"--nosuch"}, "there is no option --nosuch"},
      {{}, "subcommand"},
      {{"run", "--copy", "nothing"}, "--copy: nothing is none of: all, data, none"},
      {{"capture", "--output", "f", "--binary", "maybe"}, "maybe is none of: off, on"},
      {{"--log-level", "loud", "run"}, "loud is none of: debug, error, info, warn"},
      {{"run", "--source", "host=h", "--target", "hst=1"},
       "--target: the connection string cannot be parsed: invalid connection option \"hst\""},
      {{"check", "--source", "hst=1"}, "--source: the connection string cannot be parsed"}};
  for (const auto& [args, named] : refused) {
    EXPECT_EQ(Run(args), 2) << named;
    EXPECT_THAT(Log(), HasSubstr(named));
  }
}

}  // namespace
}  // namespace pgteal::tests
