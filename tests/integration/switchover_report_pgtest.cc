#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/fault/turn_test.h"

namespace pgteal::tests {
namespace {

// By blue's clock, as the report writes it.
constexpr const char* kNowSql =
    "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

TEST_F(SwitchoverTest, ADryRunClosesNothingAndPredictsTheOutage) {
  db_.ExecBoth("CREATE SEQUENCE one; CREATE SEQUENCE two");
  ASSERT_NO_FATAL_FAILURE(StartClients());
  const std::string catalogs =
      "SELECT (SELECT count(*) FROM pg_roles WHERE rolcanlogin), (SELECT count(*) FROM"
      " pg_db_role_setting), (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM"
      " pg_publication), (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_namespace WHERE "
      "nspname !~ '^pg_')";
  const Rows blue = db_.blue().Query(catalogs);
  const Rows green = db_.green().Query(catalogs);
  ASSERT_EQ(Pgteal({"switchover", "--dry-run", "--json"}), 0) << Log();
  const auto report = nlohmann::json::parse(tool_->Stdout());
  EXPECT_EQ(report["result"], "rehearsed");
  EXPECT_GT(report["outage_ms"], 0);
  EXPECT_EQ(report["sequences"], 2);
  std::string steps;
  for (const auto& step : report["steps"]) steps += step["name"].get<std::string>() + ", ";
  EXPECT_EQ(steps,
            "connect, guardrails, fence, drain, prove, sequences, large objects, arm, commit, ");
  EXPECT_EQ(db_.blue().Query(catalogs), blue);
  EXPECT_EQ(db_.green().Query(catalogs), green);
  ExpectNothingLost();
}

TEST_F(SwitchoverTest, TheReportAndTheEventsTellWhatHappened) {
  const std::string end = "SELECT pg_current_wal_insert_lsn()";
  const std::string blue_before = db_.blue().Scalar(end);
  const std::string green_before = db_.green().Scalar(end);
  ASSERT_EQ(Turn({"--json"}), 0) << Log();
  const auto report = nlohmann::json::parse(tool_->Stdout());
  EXPECT_EQ(report["result"], "switched");
  // Each is a position in the log of its side, of some moment during the turn.
  const auto lies_in_turn = [](const std::string& before, const std::string& lsn, Sql side) {
    return side.Scalar("SELECT '" + before + "'::pg_lsn < '" + lsn + "' AND '" + lsn +
                       "' <= pg_current_wal_insert_lsn()") == "t";
  };
  EXPECT_TRUE(lies_in_turn(blue_before, report["barrier_lsn"], Sql(db_.BlueInfo())));
  EXPECT_TRUE(lies_in_turn(green_before, report["way_back_lsn"], Sql(db_.GreenInfo())));
  EXPECT_GT(report["outage_ms"], 0);
  EXPECT_EQ(report["steps"].size(), 11u);
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM pgteal.event WHERE kind = 'switchover'"), "2");
  EXPECT_EQ(Pgteal({"status", "--json"}), 0);
  const auto status = nlohmann::json::parse(tool_->Stdout());
  EXPECT_EQ(status["direction"], "green to blue");
  EXPECT_EQ(status["state"], "streaming");
  EXPECT_EQ(status["epoch"], 1);
}

TEST_F(SwitchoverTest, TheReportKnowsTheLastCommitOfOthersAmongItsOwn) {
  const std::string before = db_.blue().Scalar(kNowSql);
  db_.blue().Exec("INSERT INTO ledger VALUES (7, 1, 'the last one')");
  const std::string after = db_.blue().Scalar(kNowSql);
  ASSERT_TRUE(db_.WaitCaughtUp());
  ASSERT_EQ(Turn({"--json"}), 0) << Log();
  const auto report = nlohmann::json::parse(tool_->Stdout());
  const std::string last_commit = report["last_commit_at"];
  EXPECT_LE(before, last_commit);
  EXPECT_LE(last_commit, after);
  EXPECT_LT(last_commit, report["opened_at"]);
  // It was before the fence.
  EXPECT_EQ(report["outage_from"], "fence");
  EXPECT_EQ(report["outage_ms"], report["closed_ms"]);
  // On the way back nobody has written at all.
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_THAT(tool_->Stdout(), testing::HasSubstr("ms, from the fence\n"));
  EXPECT_THAT(tool_->Stdout(), testing::HasSubstr("last commit    none seen\n"));
}

TEST_F(SwitchoverTest, AProgressRowThatAnOlderPgtealMadeLearnsOfTheLastCommit) {
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  Sql green = db_.GreenWriter();
  green.Exec("ALTER TABLE pgteal.progress DROP COLUMN written_at");
  ASSERT_EQ(Pgteal({"status"}), 0) << Log();
  ASSERT_NO_FATAL_FAILURE(StartRun());
  ASSERT_NO_FATAL_FAILURE(StartClients());
  EXPECT_TRUE(WaitUntil(
      [&] { return green.Scalar("SELECT written_at IS NOT NULL FROM pgteal.progress") == "t"; },
      std::chrono::seconds(20)));
  ASSERT_EQ(Turn({"--json"}), 0) << Log();
  EXPECT_TRUE(nlohmann::json::parse(tool_->Stdout())["last_commit_at"].is_string());
  ExpectNothingLost();
}

TEST_F(SwitchoverTest, TheOutageOfTheReportLiesWithinWhatTheClientsSaw) {
  ASSERT_NO_FATAL_FAILURE(StartClients());
  constexpr double kClosedMs = 1000;
  for (size_t turn = 0; turn < 2; ++turn) {
    ASSERT_EQ(Turn({"--json", "--hook", "test \"$PGTEAL_PHASE\" != drain || sleep 1"}), 0) << Log();
    ASSERT_TRUE(ledger_->WaitForMore(50));
    const auto report = nlohmann::json::parse(tool_->Stdout());
    const double outage = report["outage_ms"];
    EXPECT_GE(outage, kClosedMs);
    EXPECT_LE(outage, report["closed_ms"]);
    const std::chrono::duration<double, std::milli> seen = ledger_->Outages().at(turn);
    // A commit's time is taken before it is flushed and a client learns of it later still; a client
    // may be in on the other side before the tool hears that it is open. What the processes of a
    // busy machine wait for each other is not the report's fault.
    EXPECT_GE(seen.count(), outage - kClosedMs / 2);
  }
  ExpectNothingLost();
}

}  // namespace
}  // namespace pgteal::tests
