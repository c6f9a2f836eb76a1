#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tools/check/check_table.h"
#include "tools/check/report.h"

namespace pgteal::tools {
namespace {

using testing::HasSubstr;

CheckResult Result(const char* id, CheckOutcome outcome) {
  CheckResult result;
  result.id = id;
  result.area = "Area";
  result.title = "it is so";
  result.outcome = outcome;
  return result;
}

TEST(CheckReport, SumsUpAndSaysWhatCouldNotBeAsked) {
  auto skipped = Result("F2", CheckOutcome::kSkipped);
  skipped.reason = "hidden";
  skipped.is_guardrail = true;
  const std::vector<CheckResult> results = {Result("B1", CheckOutcome::kPass), skipped};
  const std::string text = CheckText(results, {});
  EXPECT_THAT(text, HasSubstr("SKIPPED  F2  blue  it is so (hidden)\n"));
  EXPECT_THAT(text, HasSubstr("1 guardrails could not be asked"));
  EXPECT_THAT(text, HasSubstr("Nothing found that stands in the way."));
  EXPECT_TRUE(FatalOf(results).empty());
  ASSERT_EQ(UnansweredOf(results).size(), 1U);
  EXPECT_EQ(UnansweredOf(results)[0].id, "F2");
}

TEST(CheckReport, ShowsTheBeginningOfALongListAndAllOfItAsJson) {
  auto failed = Result("D1", CheckOutcome::kFail);
  failed.advice = "Do it.";
  for (int i = 0; i < 5; ++i) failed.findings.push_back({"t" + std::to_string(i), "FIX;"});
  const std::string text = CheckText({failed}, {.findings_max = 2, .is_color = false});
  EXPECT_THAT(text, HasSubstr("- t1\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("t2")));
  EXPECT_THAT(text, HasSubstr("and 3 more"));
  EXPECT_THAT(text, HasSubstr("Do it."));
  const auto json = nlohmann::json::parse(CheckJson({failed}));
  EXPECT_EQ(json["verdict"], "refused");
  EXPECT_EQ(json["checks"][0]["findings"][4]["object"], "t4");
  EXPECT_EQ(json["counts"]["FAIL"], 1);
  EXPECT_EQ(Summary({failed, failed}).substr(0, 22), "D1 it is so: t0, t1, t");
}

TEST(CheckTable, EveryEntryCanBeAskedAndSaysWhatItWants) {
  std::set<std::string> ids;
  for (const auto& area : AllChecks()) {
    for (const auto& check : area.checks) {
      SCOPED_TRACE(check.id);
      ids.insert(check.id);
      EXPECT_NE(*check.title, '\0');
      const bool has_code = check.code != nullptr;
      EXPECT_NE(has_code, *check.sql != '\0');
      EXPECT_EQ(check.side == CheckSide::kPair && !has_code, *check.green_sql != '\0');
      const auto& levels = check.levels;
      EXPECT_TRUE(levels.before != Level::kNone || levels.running != Level::kNone ||
                  levels.switchover != Level::kNone);
    }
  }
  EXPECT_GE(ids.size(), 70U);
}

TEST(CheckTable, WithoutServersEverythingIsSkippedWithAReason) {
  for (const auto phase : {CheckPhase::kBefore, CheckPhase::kRunning, CheckPhase::kSwitchover}) {
    CheckOptions options;
    options.phase = phase;
    const auto results = RunChecks(nullptr, nullptr, options);
    EXPECT_GT(results.size(), 10U);
    for (const auto& result : results) {
      EXPECT_EQ(result.outcome, CheckOutcome::kSkipped) << result.id;
      EXPECT_NE(result.reason, "") << result.id;
    }
  }
}

}  // namespace
}  // namespace pgteal::tools
