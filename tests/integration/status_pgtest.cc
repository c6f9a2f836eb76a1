#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// `pgteal status` beside everything else. Blue limits the WAL that a slot may keep.
class StatusVerb : public testing::Test {
 protected:
  using Json = nlohmann::json;

  static ClusterPair& Clusters() {
    static ClusterPair clusters(DefaultVersions(), {{"max_slot_wal_keep_size", "500MB"}});
    return clusters;
  }

  std::string Text(const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"status"};
    args.insert(args.end(), more.begin(), more.end());
    status_ = db_.Pgteal(args);
    EXPECT_EQ(status_->WaitExit(), 0) << status_->Log();
    return status_->Stdout();
  }
  Json Report() { return Json::parse(Text({"--json"})); }

  void StartRun() {
    run_ = db_.Pgteal({"run", "--copy", "none", "--on-conflict", "skip"});
    ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  }

  DatabasePair db_{Clusters()};
  std::unique_ptr<PgtealProcess> run_;
  std::unique_ptr<PgtealProcess> status_;
};

TEST_F(StatusVerb, TellsTheLagConflictsEventsAndTheLimitOfTheSlot) {
  db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v text)");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  db_.green().Exec("INSERT INTO t VALUES (1, 'green')");
  for (int i = 1; i <= 4; ++i) {
    db_.blue().Exec("INSERT INTO t VALUES (" + std::to_string(i) + ", repeat('x', 500))");
  }
  ASSERT_TRUE(db_.WaitCaughtUp());
  Json status = Report();
  EXPECT_EQ(status["transactions"], 4);
  EXPECT_EQ(status["conflicts"], 1);
  EXPECT_TRUE(status["slot"]["active"]);
  EXPECT_EQ(status["events"].back()["kind"], "bootstrap");
  EXPECT_THAT(status["events"].back()["detail"], HasSubstr("begins at "));

  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  db_.blue().Exec("INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(5, 500) AS g");
  status = Report();
  const int64_t lag_bytes = status["lag_bytes"];
  EXPECT_GT(lag_bytes, 496 * 500);
  EXPECT_GT(status["lag_seconds"], 0);
  EXPECT_LT(status["lag_seconds"], 3600) << "blue's clock is ours";
  // By what the four transactions before took.
  const int64_t applied_bytes =
      std::stoll(db_.green().Scalar("SELECT '" + status["applied_lsn"].get<std::string>() +
                                    "'::pg_lsn - consistent_point"
                                    " FROM pgteal.deployment"));
  EXPECT_EQ(status["lag_transactions"], lag_bytes / (applied_bytes / 4));
  EXPECT_GE(status["slot"]["retained_bytes"], lag_bytes);
  EXPECT_GT(status["slot"]["safe_bytes"], 100 << 20);
  EXPECT_LT(status["slot"]["safe_bytes"], 600 << 20);
  const std::string text = Text();
  for (const char* part : {"conflicts    1\n", " bootstrap    begins at ", " transactions\n",
                           "slot         idle, WAL reserved", " kept), limit in "}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST_F(StatusVerb, TellsTheRatesOfAStreamAtWork) {
  db_.ExecBoth("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  const auto watch = db_.Pgteal({"status", "--watch", "--interval", "1", "--json"});
  const auto shows_rates = [&] {
    db_.blue().Exec("INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 3)");
    const std::string out = watch->Stdout();
    const size_t end = out.rfind('\n');
    if (end == std::string::npos) return false;
    const size_t before = out.rfind('\n', end - 1);
    const size_t begin = before == std::string::npos ? 0 : before + 1;
    const Json look = Json::parse(out.substr(begin, end - begin));
    return look["transactions_per_second"] > 0 && look["wal_bytes_per_second"] > 0 &&
           look["changes_per_second"] > look["transactions_per_second"];
  };
  EXPECT_TRUE(WaitUntil(shows_rates, seconds(60))) << watch->Stdout();
  watch->Terminate();
  EXPECT_EQ(watch->WaitExit(), 130);
}

TEST_F(StatusVerb, AnOutputThatTakesNothingEndsIt) {
  db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  const auto watch = db_.PgtealIn("set -o pipefail; \"$@\" | head -n 1",
                                  {"status", "--watch", "--interval", "1", "--json"});
  EXPECT_EQ(watch->WaitExit(seconds(10)), 1) << watch->Log();
  EXPECT_EQ(Json::parse(watch->Stdout())["state"], "streaming");
  EXPECT_THAT(watch->Log(), HasSubstr("cannot write to standard output"));
  const auto full = db_.PgtealIn("exec \"$@\" > /dev/full", {"status", "--json"});
  EXPECT_EQ(full->WaitExit(seconds(20)), 1) << full->Log();
  EXPECT_THAT(full->Log(), HasSubstr("cannot write to standard output"));
}

// Green's table `b` is locked, so that the load stops in front of it.
TEST_F(StatusVerb, TellsHowFarALoadIs) {
  db_.ExecBoth("CREATE TABLE a (id int PRIMARY KEY, t text); CREATE TABLE b (id int PRIMARY KEY)");
  db_.blue().Exec(
      "INSERT INTO a SELECT g, repeat('x', 200) FROM generate_series(1, 5000) AS g;"
      "INSERT INTO b VALUES (1)");
  Sql holder(db_.GreenInfo());
  holder.Exec("BEGIN; LOCK TABLE b IN ACCESS SHARE MODE");
  run_ = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ASSERT_TRUE(run_->WaitForLog("table public.a copied")) << run_->Log();
  const Json status = Report();
  EXPECT_EQ(status["state"], "copying");
  std::map<std::string, Json> tables;
  for (const auto& table : status["unfinished_tables"]) tables[table["name"]] = table;
  ASSERT_EQ(tables.size(), 2U) << status.dump(2);
  EXPECT_EQ(tables["public.a"]["phase"], "copied");
  EXPECT_EQ(tables["public.a"]["rows"], 5000);
  EXPECT_GT(tables["public.a"]["bytes"], 5000 * 200);
  EXPECT_EQ(tables["public.b"]["rows"], 0);
  EXPECT_EQ(status["tables"]["copied"], 1);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("1 copied"));
  EXPECT_THAT(text, testing::ContainsRegex("  public.a +copied +5000 rows, 1.*B\n"));
  EXPECT_THAT(text, HasSubstr("  public.b "));
  holder.Exec("ROLLBACK");
  ASSERT_TRUE(run_->WaitForLog("sequences set", seconds(60))) << run_->Log();
  ASSERT_TRUE(WaitUntil([&] { return Report()["state"] == "streaming"; }, seconds(60)));
  const Json ready = Report();
  EXPECT_EQ(ready["tables"], Json({{"ready", 2}}));
  EXPECT_EQ(ready["unfinished_tables"], Json::array());
  EXPECT_THAT(ready["events"].dump(), HasSubstr(R"("kind":"loaded")"));
}

TEST_F(StatusVerb, AWatchKeepsItsSessionsAndFindsNewOnesWhenTheyEnd) {
  StartRun();
  auto watch = db_.Pgteal({"status", "--watch", "--interval", "1", "--json"});
  const auto look = [&watch] {
    const std::string out = watch->Stdout();
    const auto seen = std::count(out.begin(), out.end(), '\n');
    return WaitUntil(
        [&] {
          const std::string now = watch->Stdout();
          return std::count(now.begin(), now.end(), '\n') > seen;
        },
        seconds(20));
  };
  const auto session = [](Sql& side) {
    return side.Scalar(
        "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'pgteal status%'");
  };
  for (auto* side : {&db_.blue(), &db_.green()}) {
    ASSERT_TRUE(look());
    const std::string before = session(*side);
    ASSERT_TRUE(look());
    EXPECT_EQ(session(*side), before);
    side->Exec("SELECT pg_terminate_backend(" + before + ", 5000)");
    ASSERT_TRUE(look());
    ASSERT_TRUE(look());
    EXPECT_NE(session(*side), before);
  }
  watch->Terminate();
  EXPECT_EQ(watch->WaitExit(), 130);
  EXPECT_THAT(watch->Stdout(), testing::Not(HasSubstr("unreachable\":[\"")));
}

TEST_F(StatusVerb, NamesTheServerThatIsDownAndTellsWhatTheOtherKnows) {
  db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  const std::string nowhere = "host=127.0.0.1 port=1 dbname=app user=x password=geheim4711";
  const auto ask = [this](const std::string& blue, const std::string& green, bool is_json) {
    status_ = db_.PgtealVia(blue, green,
                            is_json ? std::vector<std::string>{"status", "--json"}
                                    : std::vector<std::string>{"status"});
    EXPECT_EQ(status_->WaitExit(), 1) << status_->Log();
    EXPECT_THAT(status_->Log() + status_->Stdout(), testing::Not(HasSubstr("geheim4711")));
    return status_->Stdout();
  };
  const std::string without_green = ask("", nowhere, false);
  EXPECT_THAT(without_green, HasSubstr("deployment   pgteal: unknown"));
  EXPECT_THAT(without_green, HasSubstr("unreachable  green: "));
  EXPECT_THAT(without_green, HasSubstr("Connection refused"));
  EXPECT_THAT(without_green, HasSubstr("slot         idle, WAL reserved"));
  const std::string without_blue = ask(nowhere, "", false);
  EXPECT_THAT(without_blue, HasSubstr("deployment   pgteal: streaming"));
  EXPECT_THAT(without_blue, HasSubstr("unreachable  blue: "));
  EXPECT_THAT(without_blue, HasSubstr("slot         unknown"));
  EXPECT_THAT(without_blue, HasSubstr(" bootstrap "));
  const auto json = Json::parse(ask("", nowhere, true));
  EXPECT_EQ(json["state"], "unknown");
  EXPECT_EQ(json["unreachable"].size(), 1U);
  EXPECT_FALSE(json["slot"].is_null());
}

}  // namespace
}  // namespace pgteal::tests
