#include "tools/cli/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pg/error.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/verbs.h"

namespace pgteal::tools {
namespace {

TEST(ExitCodes, AreTheContract) {
  EXPECT_EQ(kDone, 0);
  EXPECT_EQ(kFailed, 1);
  EXPECT_EQ(kUsage, 2);
  EXPECT_EQ(kRefused, 3);
  EXPECT_EQ(kDifferent, 4);
  EXPECT_EQ(kTimedOut, 5);
  EXPECT_EQ(kInterrupted, 130);
}

TEST(Options, ANameIsWhatASlotMayBeCalled) {
  for (const char* name : {"pgteal", "a", "0", "blue_2_green", "_"}) {
    EXPECT_EQ(CheckName(name), "") << name;
  }
  EXPECT_EQ(CheckName(std::string(50, 'a')), "");
  for (const char* name : {"", "A", "a-b", "a b", "a'b", "a\"b", "\xc3\xa4", "a.b"}) {
    EXPECT_NE(CheckName(name), "") << name;
  }
  EXPECT_NE(CheckName(std::string(51, 'a')), "");
}

TEST(Options, AnLsnIsChecked) {
  EXPECT_EQ(CheckLsn("16/B374D848"), "");
  EXPECT_NE(CheckLsn("16"), "");
}

TEST(Options, AMissingConnectionStringNamesOptionAndVariable) {
  const CommonOptions none;
  try {
    ParseSource(none);
    ADD_FAILURE() << "taken";
  } catch (const pg::ConfigError& error) {
    EXPECT_STREQ(error.what(), "--source is missing");
    EXPECT_NE(error.hint().find("PGTEAL_SOURCE"), std::string::npos);
  }
  EXPECT_THROW(ParseTarget(none), pg::ConfigError);
}

// Parses a command line with every verb's options in place; none of its callbacks is reached, for
// each line here is wrong or asks for help.
class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    app_.require_subcommand(1);
    AddPrepare(&app_, &exit_code_);
    AddRun(&app_, &exit_code_);
  }
  // What is wrong with it; empty when help was asked for.
  std::string Wrong(std::vector<std::string> args) {
    std::reverse(args.begin(), args.end());
    try {
      app_.parse(args);
    } catch (const CLI::Success&) {
      return "";
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
    return "nothing is wrong";
  }

  CLI::App app_{"", "pgteal"};
  int exit_code_ = 0;
};

TEST_F(CommandLine, WrongOptionsAreNamed) {
  struct Case {
    std::vector<std::string> args;
    const char* named;
  };
  const Case cases[] = {
      {{}, "subcommand"},
      {{"walk"}, "subcommand"},
      {{"run", "--lanes", "65"}, "--lanes"},
      {{"run", "--lanes", "many"}, "--lanes"},
      {{"run", "--on-conflict", "ignore"}, "--on-conflict"},
      {{"run", "--until-lsn", "soon"}, "--until-lsn"},
      {{"run", "--start-lsn", "1"}, "--start-lsn"},
      {{"run", "--binary", "maybe"}, "--binary"},
      {{"run", "--batch-rows", "0"}, "--batch-rows"},
      {{"run", "--name", "Not A Slot"}, "--name"},
      {{"run", "--unknown"}, "--unknown"},
      {{"prepare", "--lanes", "2"}, "--lanes"},
  };
  for (const auto& c : cases) {
    const std::string wrong = Wrong(c.args);
    EXPECT_NE(wrong.find(c.named), std::string::npos) << wrong;
  }
}

TEST_F(CommandLine, HelpIsNoError) {
  EXPECT_EQ(Wrong({"run", "--help"}), "");
  EXPECT_EQ(Wrong({"prepare", "--help"}), "");
}

}  // namespace
}  // namespace pgteal::tools
