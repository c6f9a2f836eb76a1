#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/gate.h"
#include "tests/support/terminal.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBar = " \\[#* *\\] +[0-9]+%";
// Held on green by the test: whoever computes the index has to wait for it.
constexpr const char* kHold = "SELECT pg_advisory_lock(7)";

class LoadView : public PairTest {
 protected:
  LoadView() : gate_(db_.clusters().green()), holder_(db_.GreenInfo()) {
    blue().Exec(
        "CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(7); RETURN n; END';"
        "CREATE TABLE \"ordérs\" (id int PRIMARY KEY, t text);"
        "CREATE INDEX slow_one ON \"ordérs\" (slow(id)) WHERE id < 100;"
        "INSERT INTO \"ordérs\" SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 12000) "
        "g;"
        "CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)");
    // Twelve seconds for the table: who looks has to see it on the way, whatever else runs here.
    gate_.LimitBytesPerSecond(1 << 20);
    holder_.Exec(kHold);
  }
  std::unique_ptr<PgtealProcess> RunOn(const Terminal& terminal) {
    return std::make_unique<PgtealProcess>(
        std::vector<std::string>{"run", "--jobs", "2"},
        std::map<std::string, std::string>{{"PGTEAL_SOURCE", db_.BlueInfo()},
                                           {"PGTEAL_TARGET", gate_.ConnInfo(db_.name())}},
        terminal.path());
  }
  static std::string Text(Terminal& terminal) {
    std::string text;
    for (const auto& line : terminal.Look()) text += line + "\n";
    return text;
  }
  static bool Matches(Terminal& terminal, const std::string& regex) {
    return WaitUntil([&] { return testing::Matches(ContainsRegex(regex))(Text(terminal)); },
                     seconds(60));
  }
  // The log alone, each line of it once.
  static void ExpectClean(Terminal& terminal) {
    const std::string text = Text(terminal);
    EXPECT_THAT(text, Not(ContainsRegex(kBar)));
    EXPECT_THAT(text, Not(HasSubstr("load phase=")));
    EXPECT_EQ(terminal.column(), 0U);
    for (const char* line : {"slot pgteal created", "green prepared", "load: schema"}) {
      const size_t at = text.find(line);
      ASSERT_NE(at, std::string::npos) << line << "\n" << text;
      EXPECT_EQ(text.find(line, at + 1), std::string::npos) << line << "\n" << text;
    }
  }

  Gate gate_;
  Sql holder_;
};

class LoadViewOfWidth : public LoadView, public testing::WithParamInterface<int> {};

TEST_P(LoadViewOfWidth, BarsOfTablesAndIndexesAreDrawnAndGoneAtTheEnd) {
  Terminal terminal(static_cast<size_t>(GetParam()), 24);
  const auto run = RunOn(terminal);
  EXPECT_TRUE(
      Matches(terminal, std::string("\npublic.ordérs *") + kBar + " MB/s=[0-9.]+ eta_s=[0-9]+"))
      << Text(terminal);
  EXPECT_TRUE(Matches(terminal, "load phase=data tables=[01]/2 MB=[0-9]+ MB/s=[0-9.]+ eta_s="))
      << Text(terminal);
  gate_.Pass();
  EXPECT_TRUE(Matches(terminal, std::string("\nordérs slow_one *") + kBar + " building index"))
      << Text(terminal);
  EXPECT_TRUE(terminal.Shows("load phase=indexes"));
  EXPECT_TRUE(terminal.Shows("indexes=2/3"));
  // What is logged meanwhile has not been drawn over.
  EXPECT_TRUE(terminal.Shows("table public.ordérs copied rows=12000"));
  holder_.Exec("SELECT pg_advisory_unlock_all()");
  EXPECT_TRUE(Matches(terminal, "load: indexes ")) << Text(terminal);
  EXPECT_TRUE(Matches(terminal, "\nreceived=")) << Text(terminal);
  run->Terminate();
  const auto has_ended = [&] { return terminal.Look(), !run->IsRunning(); };
  ASSERT_TRUE(WaitUntil(has_ended, seconds(60)));
  EXPECT_EQ(run->WaitExit(), 130);
  ExpectClean(terminal);
  EXPECT_TRUE(terminal.Shows("stopped cleanly")) << Text(terminal);
}

INSTANTIATE_TEST_SUITE_P(Columns, LoadViewOfWidth, testing::Values(80, 160));

TEST_F(LoadView, CtrlCLeavesTheScreenClean) {
  Terminal terminal(80, 10);
  const auto run = RunOn(terminal);
  ASSERT_TRUE(Matches(terminal, std::string("public.ordérs *") + kBar));
  run->Signal(SIGINT);
  const auto has_ended = [&] { return terminal.Look(), !run->IsRunning(); };
  ASSERT_TRUE(WaitUntil(has_ended, seconds(60)));
  EXPECT_EQ(run->WaitExit(), 130);
  ExpectClean(terminal);
  EXPECT_TRUE(terminal.Shows("stopped cleanly; the same command resumes")) << Text(terminal);
}

TEST_F(LoadView, WithoutATerminalThereAreLogLines) {
  const auto run = db_.PgtealVia("", gate_.ConnInfo(db_.name()), {"run"});
  gate_.Pass();
  // Held up by the index.
  ASSERT_TRUE(run->WaitForLog("info load phase=indexes tables=2/2 MB="));
  EXPECT_THAT(run->Log(), HasSubstr(" indexes=2/3"));
  EXPECT_THAT(run->Log(), Not(ContainsRegex(kBar)));
  EXPECT_THAT(run->Log(), Not(HasSubstr("\033")));
  holder_.Exec("SELECT pg_advisory_unlock_all()");
  ASSERT_TRUE(run->WaitForLog("load: indexes "));
}

}  // namespace
}  // namespace pgteal::tests
