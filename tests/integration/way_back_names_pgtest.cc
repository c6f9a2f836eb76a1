#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/fault/turn_test.h"
#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

// After a switchover green sends and blue follows: whoever reads a message then goes to the server
// that it names. A table has the name of a side, and keeps it.
class WayBackNames : public SwitchoverTest {
 protected:
  void SetUp() override {
    db_.ExecBoth("CREATE TABLE green (id int PRIMARY KEY, v text)");
    ASSERT_NO_FATAL_FAILURE(StartRun());
    db_.blue().Exec("INSERT INTO green SELECT g, 'v' FROM generate_series(1, 5) AS g");
    ASSERT_TRUE(db_.WaitCaughtUp());
    ASSERT_EQ(Turn(), 0) << Log();
    ASSERT_TRUE(run_->WaitForLog("streaming back to blue"));
    OnGreen("INSERT INTO green VALUES (100, 'back')");
    ASSERT_TRUE(WaitUntil(
        [this] { return db_.blue().Scalar("SELECT count(*) FROM green WHERE id = 100") == "1"; },
        std::chrono::seconds(20)));
  }

  // A side that follows is read-only for everybody who does not say otherwise.
  static void Write(const std::string& info, const std::string& sql) {
    Sql session(info);
    session.Exec("SET default_transaction_read_only = off");
    session.Exec(sql);
  }
  void OnBlue(const std::string& sql) { Write(db_.BlueInfo(), sql); }
  void OnGreen(const std::string& sql) { Write(db_.GreenInfo(), sql); }
  // Ends the stream and what it had to say.
  void StopRun() {
    run_->Terminate();
    ASSERT_EQ(run_->WaitExit(), 130) << run_->Log();
  }
  void ExpectRunEndsWith(int code, const std::string& text) {
    EXPECT_EQ(run_->WaitExit(), code) << run_->Log();
    EXPECT_THAT(run_->Log(), HasSubstr(text));
  }
};

TEST_F(WayBackNames, AConflictIsBluesToMend) {
  OnBlue("DELETE FROM green WHERE id = 3");
  OnGreen("UPDATE green SET v = 'new' WHERE id = 3");
  ExpectRunEndsWith(1, "blue does not hold the row that green changed, ");
  EXPECT_THAT(run_->Log(), HasSubstr("relation public.green, key (id)"));
  EXPECT_THAT(run_->Log(), HasSubstr("hint: Somebody wrote on blue, or the load was incomplete."));
}

TEST_F(WayBackNames, StatusTellsOfConflictsOnBlue) {
  ASSERT_NO_FATAL_FAILURE(StopRun());
  run_ = db_.Pgteal({"run", "--copy", "none", "--on-conflict", "skip"});
  OnBlue("DELETE FROM green WHERE id = 3");
  OnGreen("UPDATE green SET v = 'new' WHERE id = 3");
  ASSERT_TRUE(WaitUntil(
      [this] { return db_.blue().Scalar("SELECT count(*) FROM pgteal.conflict") == "1"; },
      std::chrono::seconds(20)))
      << run_->Log();
  EXPECT_EQ(Pgteal({"status", "--json"}), 0) << Log();
  const auto status = nlohmann::json::parse(tool_->Stdout());
  EXPECT_EQ(status["conflicts"], 1);
  EXPECT_EQ(status["events"].back()["kind"], "bootstrap");
}

TEST_F(WayBackNames, AHintForAServersErrorIsForBlue) {
  OnBlue("INSERT INTO green VALUES (77, 'blue')");
  OnGreen("INSERT INTO green VALUES (77, 'green')");
  ExpectRunEndsWith(1, "23505");
  EXPECT_THAT(run_->Log(), HasSubstr("hint: Blue holds a row that green has not sent: "));
  EXPECT_THAT(run_->Log(), HasSubstr("relation public.green, "));
}

TEST_F(WayBackNames, WhatBlueLacksIsMissedThere) {
  OnGreen("ALTER TABLE green ADD COLUMN extra int; INSERT INTO green VALUES (8, 'v', 9)");
  ExpectRunEndsWith(3, "column extra of public.green is missing on blue");
  EXPECT_THAT(run_->Log(), HasSubstr("Add the column on blue with the type it has on green"));
}

TEST_F(WayBackNames, AWriterOnBlueIsToldAsOne) {
  Sql writer(db_.BlueInfo());
  writer.Exec("SET default_transaction_read_only = off");
  writer.Exec("BEGIN; INSERT INTO green VALUES (6, 'v')");
  ASSERT_TRUE(run_->WaitForLog("somebody else writes on blue (pid "));
  EXPECT_THAT(run_->Log(), HasSubstr("it follows green, and"));
}

TEST_F(WayBackNames, ASlotIsMissedOnGreen) {
  ASSERT_NO_FATAL_FAILURE(StopRun());
  db_.green().Exec("SELECT pg_drop_replication_slot('pgteal')");
  run_ = db_.Pgteal({"run", "--copy", "none"});
  ExpectRunEndsWith(3, "slot pgteal does not exist on green");
}

TEST_F(WayBackNames, AProgressThatTheSlotHasPassedIsBlues) {
  ASSERT_NO_FATAL_FAILURE(StopRun());
  OnBlue("UPDATE pgteal.progress SET end_lsn = '0/1'");
  run_ = db_.Pgteal({"run", "--copy", "none"});
  ExpectRunEndsWith(3, "past blue's progress 0/1");
  EXPECT_THAT(run_->Log(), HasSubstr("or blue was restored from a backup"));
}

TEST_F(WayBackNames, ADeploymentThatBeganWithAnotherServerIsBlues) {
  ASSERT_NO_FATAL_FAILURE(StopRun());
  OnBlue("UPDATE pgteal.deployment SET source_timeline = 7");
  run_ = db_.Pgteal({"run", "--copy", "none"});
  ExpectRunEndsWith(3, "green is on timeline 1, the deployment began on 7");
  EXPECT_THAT(run_->Log(), HasSubstr("blue may hold transactions that this green never had"));
}

// What is to be pasted says where; `--side` asks for a server, not for the part that it plays.
TEST_F(WayBackNames, CheckNamesTheServers) {
  OnGreen("ALTER TABLE green ADD COLUMN extra int");
  OnGreen("CREATE TABLE small (id serial PRIMARY KEY); SELECT setval('small_id_seq', 2000000000)");
  const auto check = RunCheck(db_, {});
  EXPECT_THAT(check.Findings("H9"), HasSubstr("column public.green.extra is missing on blue"));
  EXPECT_THAT(check.Findings("H9"), HasSubstr("--table='public.small' green | psql blue"));
  EXPECT_THAT(check.Findings("E2"), HasSubstr("; -- on blue, before the switchover"));
  std::map<std::string, std::string> sides;
  for (const auto& one : check.report["checks"]) sides[one["id"]] = one["side"];
  EXPECT_EQ(sides["B1"], "green");
  EXPECT_EQ(sides["H4"], "blue");
  const auto of_green = RunCheck(db_, {"--side", "green"});
  EXPECT_THAT(of_green.Outcomes("B1"), "PASS");
  EXPECT_THAT(of_green.Outcomes("H4"), "");
}

TEST_F(WayBackNames, ASnapshotOfGreenIsTakenForVerify) {
  EXPECT_EQ(Pgteal({"verify"}), 0) << Log();
  EXPECT_THAT(Log(), HasSubstr("snapshots of green and blue at "));
  ASSERT_NO_FATAL_FAILURE(StopRun());
  EXPECT_EQ(Pgteal({"verify"}), 0) << Log();
  EXPECT_THAT(Log(), HasSubstr("no `run` streams: blue is brought up to a snapshot of green"));
}

TEST_F(WayBackNames, ASequenceIsMissedOnBlue) {
  OnGreen("CREATE SEQUENCE late");
  EXPECT_EQ(Pgteal({"sync-sequences"}), 0) << Log();
  EXPECT_THAT(Log(), HasSubstr("sequence public.late is missing on blue"));
}

}  // namespace
}  // namespace pgteal::tests
