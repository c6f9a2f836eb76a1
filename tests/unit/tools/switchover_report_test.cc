#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/switchover/outage.h"
#include "tools/switchover/report.h"

namespace pgteal::tools {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr Outage::Time At(int ms) { return Outage::Time(milliseconds(ms)); }
// The server's clock is a minute ahead of ours.
constexpr pg::Timestamp ServerAt(int ms) { return {(ms + 60'000) * int64_t{1000}}; }

Outage Measured(std::optional<pg::Timestamp> last_commit) {
  Outage outage;
  outage.Closing(At(1000));
  outage.Relate(ServerAt(1160), At(1140), At(1180));
  outage.LastCommit(last_commit);
  outage.Opened(At(1250));
  return outage;
}

TEST(Outage, CountsFromTheLastCommitByOneClock) {
  const auto outage = Measured(ServerAt(1030));
  EXPECT_TRUE(outage.is_from_commit());
  EXPECT_EQ(outage.outage(), milliseconds(220));
  EXPECT_EQ(outage.closed(), milliseconds(250));
  EXPECT_EQ(outage.opened_at(), ServerAt(1250));
}

TEST(Outage, CountsFromTheFenceWhenNobodyWroteAnyMore) {
  for (const auto& last : {std::optional(ServerAt(-5000)), std::optional<pg::Timestamp>()}) {
    const auto outage = Measured(last);
    EXPECT_FALSE(outage.is_from_commit());
    EXPECT_EQ(outage.outage(), milliseconds(250));
    EXPECT_EQ(outage.closed(), milliseconds(250));
    EXPECT_EQ(outage.last_commit(), last);
  }
}

SwitchoverReport Switched() {
  SwitchoverReport report;
  report.verb = "switchover";
  report.result = "switched";
  report.times = {.outage = milliseconds(220),
                  .is_from_commit = true,
                  .closed = milliseconds(250),
                  .last_commit = pg::Timestamp{1'500'000},
                  .opened = pg::Timestamp{1'720'000}};
  return report;
}

TEST(SwitchoverReport, TellsTheOutageAndWhatItWasMeasuredFrom) {
  auto report = Switched();
  EXPECT_THAT(ReportText(report), HasSubstr("write outage   220 ms\nclosed         250 ms\n"
                                            "last commit    2000-01-01T00:00:01.500000Z\n"
                                            "opened         2000-01-01T00:00:01.720000Z\n"));
  const auto json = nlohmann::json::parse(ReportJson(report));
  EXPECT_EQ(json["outage_ms"], 220.0);
  EXPECT_EQ(json["outage_from"], "last_commit");
  EXPECT_EQ(json["closed_ms"], 250.0);
  EXPECT_EQ(json["last_commit_at"], "2000-01-01T00:00:01.500000Z");
  EXPECT_EQ(json["opened_at"], "2000-01-01T00:00:01.720000Z");
  report.times.is_from_commit = false;
  EXPECT_THAT(ReportText(report), HasSubstr("220 ms, from the fence: the last commit was before"));
  report.times.last_commit.reset();
  EXPECT_THAT(ReportText(report), HasSubstr("220 ms, from the fence\n"));
  EXPECT_THAT(ReportText(report), HasSubstr("none seen"));
  EXPECT_TRUE(nlohmann::json::parse(ReportJson(report))["last_commit_at"].is_null());
}

TEST(SwitchoverReport, AnUndoneOneHasNoOutage) {
  auto report = Switched();
  report.result = "undone";
  EXPECT_THAT(ReportText(report), testing::Not(HasSubstr("outage")));
}

}  // namespace
}  // namespace pgteal::tools
