#include "tools/status/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pgteal::tools {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Status::Event Verified() {
  return {.at = "2026-01-02 03:04:05", .kind = "verify", .detail = "equal"};
}

// Two looks, two seconds apart: the lag shrinks from 6 MB to 4 MB while blue writes 1 MB.
Status Before() {
  Status status;
  status.name = "shop";
  status.state = "streaming";
  status.direction = "blue to green";
  status.source_lsn = {0x1'0060'0000};
  status.applied_lsn = {0x1'0000'0000};
  status.lag_bytes = 6 << 20;
  status.transactions = 1000;
  status.changes = 5000;
  status.slot = {.is_active = true,
                 .wal_status = "extended",
                 .confirmed_flush_lsn = {0x1'0000'0000},
                 .retained_bytes = 7 << 20,
                 .safe_bytes = 60 << 20};
  return status;
}

Status Now() {
  Status status = Before();
  status.source_lsn = {0x1'0070'0000};
  status.applied_lsn = {0x1'0030'0000};
  status.lag_bytes = 4 << 20;
  status.lag_seconds = 3.25;
  status.lag_transactions = 800;
  status.transactions = 1600;
  status.changes = 8000;
  status.slot->safe_bytes = 50 << 20;
  status.conflicts = 3;
  status.phases = {{"copied", 1}, {"copying", 2}, {"ready", 40}};
  status.unfinished = {
      {.name = "public.orders", .phase = "copying", .rows = 12345, .bytes = 3 << 20}};
  status.events = {Verified()};
  return status;
}

TEST(StatusRates, AreWhatMovedBetweenTwoLooks) {
  const auto rates = RatesBetween(Before(), Now(), milliseconds(2000));
  EXPECT_EQ(rates.transactions, 300);
  EXPECT_EQ(rates.changes, 1500);
  EXPECT_EQ(rates.source_bytes, 512 << 10);
  EXPECT_EQ(rates.caught_up_seconds, 4);     // 4 MB at 1 MB a second
  EXPECT_EQ(rates.slot_limit_seconds, 100);  // 50 MB at half a MB a second
}

TEST(StatusRates, AreLeftOutWhereNothingCanBeForetold) {
  auto now = Now();
  now.lag_bytes = 7 << 20;
  now.slot->safe_bytes.reset();
  const auto growing = RatesBetween(Before(), now, milliseconds(2000));
  EXPECT_FALSE(growing.caught_up_seconds) << "the lag grows";
  EXPECT_FALSE(growing.slot_limit_seconds) << "no limit is set";
  // After a change of sides the counters are another stream's.
  now.epoch = 1;
  EXPECT_EQ(RatesBetween(Before(), now, milliseconds(2000)).transactions, 0);
  EXPECT_EQ(RatesBetween(Before(), Now(), milliseconds(0)).transactions, 0);
  // Reloaded meanwhile, and so counted anew.
  now = Now();
  now.transactions = 10;
  EXPECT_EQ(RatesBetween(Before(), now, milliseconds(2000)).transactions, 0);
}

TEST(StatusReport, TellsAllOfItAsText) {
  const auto now = Now();
  EXPECT_EQ(StatusText(now, RatesBetween(Before(), now, milliseconds(2000))),
            "deployment   shop: streaming, blue to green\n"
            "applied      1/300000 of 1/700000, 1600 transactions, 8000 changes\n"
            "lag          4.0MB, 3.2 s, about 800 transactions, gone in 4 s\n"
            "rate         300 transactions/s, 1500 changes/s, 512.0kB/s of WAL\n"
            "slot         active, WAL extended (7.0MB kept), limit in 50.0MB = 100 s\n"
            "tables       1 copied 2 copying 40 ready\n"
            "  public.orders                            copying  12345 rows, 3.0MB\n"
            "conflicts    3\n"
            "2026-01-02 03:04:05 verify       equal\n");
}

TEST(StatusReport, TellsAllOfItAsJson) {
  const auto now = Now();
  const auto json =
      nlohmann::json::parse(StatusJson(now, RatesBetween(Before(), now, milliseconds(2000))));
  EXPECT_EQ(json["lag_bytes"], 4 << 20);
  EXPECT_EQ(json["lag_seconds"], 3.25);
  EXPECT_EQ(json["lag_transactions"], 800);
  EXPECT_EQ(json["transactions_per_second"], 300);
  EXPECT_EQ(json["changes_per_second"], 1500);
  EXPECT_EQ(json["wal_bytes_per_second"], 512 << 10);
  EXPECT_EQ(json["caught_up_seconds"], 4);
  EXPECT_EQ(json["slot_limit_seconds"], 100);
  EXPECT_EQ(json["slot"]["safe_bytes"], 50 << 20);
  EXPECT_EQ(json["slot"]["retained_bytes"], 7 << 20);
  EXPECT_EQ(json["conflicts"], 3);
  EXPECT_EQ(json["tables"], nlohmann::json({{"copied", 1}, {"copying", 2}, {"ready", 40}}));
  EXPECT_EQ(
      json["unfinished_tables"][0],
      nlohmann::json(
          {{"name", "public.orders"}, {"phase", "copying"}, {"rows", 12345}, {"bytes", 3 << 20}}));
  EXPECT_EQ(
      json["events"][0],
      nlohmann::json({{"at", "2026-01-02 03:04:05"}, {"kind", "verify"}, {"detail", "equal"}}));
}

TEST(StatusReport, NamesWhatIsNotThere) {
  Status status;
  status.name = "shop";
  status.direction = "blue to green";
  status.unreachable = {"blue: cannot connect"};
  status.is_source_reached = false;
  EXPECT_EQ(StatusText(status, {}),
            "deployment   shop: none, blue to green\nunreachable  blue: cannot connect\n");
  status.state = "streaming";
  const std::string text = StatusText(status, {});
  EXPECT_THAT(text, HasSubstr("lag          unknown\n"));
  EXPECT_THAT(text, HasSubstr("slot         unknown: the side that sends is unreachable\n"));
  EXPECT_THAT(text, Not(HasSubstr("conflicts")));
  const auto json = nlohmann::json::parse(StatusJson(status, {}));
  for (const char* key :
       {"slot", "lag_bytes", "lag_seconds", "lag_transactions", "slot_limit_seconds"}) {
    EXPECT_TRUE(json[key].is_null()) << key;
  }
}

TEST(StatusReport, TellsWhatTheOtherSideKnows) {
  Status status = Before();
  status.state = "";
  status.applied_lsn = {};
  status.lag_bytes.reset();
  status.unreachable = {"green: cannot connect"};
  status.is_target_reached = false;
  const std::string text = StatusText(status, {});
  EXPECT_THAT(text, HasSubstr("deployment   shop: unknown, blue to green\n"
                              "unreachable  green: cannot connect\n"
                              "applied      unknown, the side that sends is at 1/600000\n"));
  EXPECT_THAT(text, HasSubstr("slot         active, WAL extended (7.0MB kept)"));
  const auto json = nlohmann::json::parse(StatusJson(status, {}));
  EXPECT_EQ(json["state"], "unknown");
  EXPECT_TRUE(json["applied_lsn"].is_null());
  status.is_target_reached = true;
  status.slot.reset();
  status.state = "streaming";
  EXPECT_THAT(StatusText(status, {}), HasSubstr("slot         missing on the side that sends\n"));
}

TEST(StatusReport, ListsTwentyUnfinishedTables) {
  auto now = Now();
  now.unfinished.assign(25, now.unfinished.front());
  EXPECT_THAT(StatusText(now, {}), HasSubstr("  … and 5 more\n"));
}

}  // namespace
}  // namespace pgteal::tools
