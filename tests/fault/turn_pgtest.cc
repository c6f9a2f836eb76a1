#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/fault/turn_test.h"
#include "tests/support/gate.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// The steps of a switchover, by the names that its hook is told. After `commit` there is no return.
const std::vector<std::string> kBefore = {"guardrails", "prepare",       "catch up",
                                          "fence",      "drain",         "prove",
                                          "sequences",  "large objects", "arm"};
const std::vector<std::string> kAfter = {"commit", "switched"};

class SwitchoverFault : public TurnTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartRun());
    ASSERT_NO_FATAL_FAILURE(StartClients());
    settings_ = Settings();
  }
  void TearDown() override {
    ASSERT_TRUE(ledger_->WaitForMore(20)) << "nobody takes writes";
    ExpectNothingLost();
  }

  static std::string At(const std::string& phase, const std::string& command) {
    return "test \"$PGTEAL_PHASE\" != '" + phase + "' || " + command;
  }

  // The side that was closed is open again, and who may do what on either is as it was.
  void ExpectUndone(bool was_green) {
    EXPECT_EQ(IsGreenOpen(), was_green) << Log();
    ExpectOneSideOpen();
    EXPECT_EQ(Settings(), settings_);
    EXPECT_TRUE(ledger_->WaitForMore(10));
  }
  void ExpectTurned(bool was_green) {
    EXPECT_NE(IsGreenOpen(), was_green) << Log();
    ExpectOneSideOpen();
    EXPECT_TRUE(ledger_->WaitForMore(10));
    settings_ = Settings();
  }
  void GoToGreen() {
    ASSERT_EQ(Turn(), 0) << Log();
    ExpectTurned(false);
  }

  static constexpr const char* kSlotsSql =
      "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'pgteal'";
  // Whether an attempt at a switchover is on record, on either side. Asked by new sessions: the
  // tool may just have ended those of before.
  bool HasAttempt() const {
    for (const auto& info : {db_.BlueInfo(), db_.GreenInfo()}) {
      Sql side(info);
      if (side.Scalar("SELECT count(*) FROM pgteal.turn WHERE phase IS NOT NULL") != "0") {
        return true;
      }
    }
    return false;
  }

  // The tool waits at a phase while the test does something to a server.
  template <typename Body>
  int TurnWith(const std::string& phase, Body body, Args more = {}) {
    const std::string reached = (folder_ / "reached").string();
    const std::string go = (folder_ / "go").string();
    std::filesystem::remove(reached);
    std::filesystem::remove(go);
    Args args = {
        IsGreenOpen() ? "rollback" : "switchover", "--hook",
        At(phase, "{ touch " + reached + "; while ! test -e " + go + "; do sleep 0.02; done; }")};
    args.insert(args.end(), more.begin(), more.end());
    tool_ = db_.Pgteal(args);
    EXPECT_TRUE(WaitUntil([&] { return std::filesystem::exists(reached); }, seconds(60))) << Log();
    body(go);
    return tool_->WaitExit(seconds(60)).value_or(-1);
  }
  static void LetGo(const std::string& go) { std::ofstream(go) << ""; }

  TempFolder folder_{"pgteal-turn"};
  std::vector<Rows> settings_;  // while nothing is under way
};

TEST_F(SwitchoverFault, AnErrorAfterAnyStepBeforeThePointOfNoReturnUndoesEverything) {
  for (const auto& phase : kBefore) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--hook", At(phase, "exit 7")}), 3) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
  ASSERT_NO_FATAL_FAILURE(GoToGreen());
  for (const auto& phase : kBefore) {
    SCOPED_TRACE("rollback " + phase);
    EXPECT_EQ(Turn({"--hook", At(phase, "exit 7")}), 3) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(true));
  }
}

TEST_F(SwitchoverFault, AnErrorAfterThePointOfNoReturnDoesNotReopenTheClosedSide) {
  for (const auto& phase : kAfter) {
    SCOPED_TRACE(phase);
    const bool was_green = IsGreenOpen();
    EXPECT_EQ(Turn({"--hook", At(phase, "exit 7")}), 0) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectTurned(was_green));
  }
}

TEST_F(SwitchoverFault, ATimeoutAfterAnyStepUndoesEverything) {
  for (const auto& phase : kBefore) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--timeout", "2", "--hook", At(phase, "sleep 600")}), 5) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
}

TEST_F(SwitchoverFault, ControlCAfterAnyStepUndoesEverything) {
  for (const auto& phase : kBefore) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--hook", At(phase, "kill -INT $PPID")}), 130) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
}

// Of the stream this time, not of the hook: a batch that waits on the opening side.
TEST_F(SwitchoverFault, ATimeoutWhileTheStreamIsHeldUpUndoesEverything) {
  Sql keeper = db_.GreenWriter();
  const auto hold = [&keeper] { keeper.Exec("BEGIN; LOCK TABLE ledger IN SHARE MODE"); };
  hold();
  EXPECT_EQ(Turn({"--timeout", "3", "--no-analyze"}), 5) << Log();
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("step=fence")));
  keeper.Exec("ROLLBACK");
  ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  // And behind the fence.
  const auto hold_and_go = [&](const std::string& go) {
    hold();
    EXPECT_TRUE(ledger_->WaitForMore(10));
    LetGo(go);
  };
  EXPECT_EQ(TurnWith("catch up", hold_and_go, {"--timeout", "5", "--no-analyze"}), 5) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("step=fence"));
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("step=drain")));
  keeper.Exec("ROLLBACK");
  ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
}

TEST_F(SwitchoverFault, WhatAKilledToolLeavesIsUndoneByTheNextCommand) {
  const std::vector<Args> next = {{"status"}, {"switchover", "--dry-run"}};
  for (size_t i = 0; i < kBefore.size(); ++i) {
    SCOPED_TRACE(kBefore[i]);
    EXPECT_EQ(Turn({"--hook", At(kBefore[i], "kill -9 $PPID")}), 128 + 9) << Log();
    EXPECT_EQ(Pgteal(next[i % next.size()]), 0) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
}

TEST_F(SwitchoverFault, WhatEndsARollbackBeforeItsPointOfNoReturnLeavesGreenOpen) {
  ASSERT_NO_FATAL_FAILURE(GoToGreen());
  const std::vector<Args> next = {{"status"}, {"rollback", "--dry-run"}};
  for (size_t i = 0; i < kBefore.size(); ++i) {
    SCOPED_TRACE("killed at " + kBefore[i]);
    EXPECT_EQ(Turn({"--hook", At(kBefore[i], "kill -9 $PPID")}), 128 + 9) << Log();
    EXPECT_EQ(Pgteal(next[i % next.size()]), 0) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(true));
  }
  for (const auto* phase : {"prepare", "fence", "arm"}) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--hook", At(phase, "kill -INT $PPID")}), 130) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(true));
  }
  EXPECT_EQ(Turn({"--timeout", "2", "--hook", At("fence", "sleep 600")}), 5) << Log();
  ASSERT_NO_FATAL_FAILURE(ExpectUndone(true));
}

TEST_F(SwitchoverFault, WhatAKilledToolLeavesAfterThePointOfNoReturnIsFinishedByTheNextCommand) {
  for (const auto& phase : kAfter) {
    SCOPED_TRACE(phase);
    const bool was_green = IsGreenOpen();
    EXPECT_EQ(Turn({"--hook", At(phase, "kill -9 $PPID")}), 128 + 9) << Log();
    EXPECT_EQ(Pgteal({"status"}), 0) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectTurned(was_green));
    EXPECT_EQ((was_green ? db_.green() : db_.blue()).Scalar(kSlotsSql), "0");
  }
}

TEST_F(SwitchoverFault, ARunThatStartsUndoesWhatAKilledToolLeft) {
  EXPECT_EQ(Turn({"--hook", At("arm", "kill -9 $PPID")}), 128 + 9) << Log();
  EXPECT_FALSE(IsBlueOpen());
  run_->Terminate();
  EXPECT_EQ(run_->WaitExit(), 130);
  ASSERT_NO_FATAL_FAILURE(StartRun());
  ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
}

TEST_F(SwitchoverFault, ARunAtWorkUndoesWhatAKilledToolLeft) {
  for (const auto* phase : {"prepare", "fence", "arm"}) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--hook", At(phase, "kill -9 $PPID")}), 128 + 9) << Log();
    EXPECT_TRUE(WaitUntil([this] { return IsBlueOpen() && !HasAttempt(); }, seconds(30)));
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
  // The way back goes last.
  EXPECT_TRUE(WaitUntil([this] { return db_.green().Scalar(kSlotsSql) == "0"; }, seconds(30)));
}

TEST_F(SwitchoverFault, ARunAtWorkFinishesWhatAKilledToolLeftAfterThePointOfNoReturn) {
  for (const auto& phase : kAfter) {
    SCOPED_TRACE(phase);
    const bool was_green = IsGreenOpen();
    EXPECT_EQ(Turn({"--hook", At(phase, "kill -9 $PPID")}), 128 + 9) << Log();
    EXPECT_TRUE(WaitUntil([this] { return !HasAttempt(); }, seconds(30)));
    Sql closed(was_green ? db_.GreenInfo() : db_.BlueInfo());
    EXPECT_EQ(closed.Scalar(kSlotsSql), "0");
    ASSERT_NO_FATAL_FAILURE(ExpectTurned(was_green));
  }
}

TEST_F(SwitchoverFault, ARunAtWorkLeavesALivingToolAlone) {
  // Long enough for several looks.
  for (const auto* phase : {"prepare", "drain", "commit"}) {
    SCOPED_TRACE(phase);
    const bool was_green = IsGreenOpen();
    EXPECT_EQ(Turn({"--hook", At(phase, "sleep 4")}), 0) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectTurned(was_green));
    EXPECT_THAT(run_->Log(), testing::Not(testing::HasSubstr("was left by its tool")));
  }
}

TEST_F(SwitchoverFault, CommandsThatFindTheSameAttemptWaitForEachOther) {
  for (const auto* phase : {"fence", "arm"}) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--hook", At(phase, "kill -9 $PPID")}), 128 + 9) << Log();
    std::vector<std::unique_ptr<PgtealProcess>> commands;
    for (int i = 0; i < 4; ++i) commands.push_back(db_.Pgteal({"switchover", "--dry-run"}));
    for (auto& command : commands) EXPECT_EQ(command->WaitExit(), 0) << command->Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
}

// It read the turn, waited, and another one switched over meanwhile: the lock is free again.
TEST_F(SwitchoverFault, AToolThatKnowsAnOlderTurnTakesNothingBack) {
  const int code = TurnWith("guardrails", [this](const std::string& go) {
    auto late = std::move(tool_);
    EXPECT_EQ(Turn(), 0) << Log();
    tool_ = std::move(late);
    LetGo(go);
  });
  EXPECT_EQ(code, 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("another tool has been at its turn"));
  ASSERT_NO_FATAL_FAILURE(ExpectTurned(false));
}

// Whoever settles without the opening side must not go by what it read before the tool was dead.
TEST_F(TurnTest, AnAttemptThatReachesItsPointOfNoReturnMeanwhileIsNotUndoneWithoutGreen) {
  ASSERT_NO_FATAL_FAILURE(StartRun());
  const std::string kill =
      "test \"$PGTEAL_PHASE\" != fence || kill -9 $PPID " + std::to_string(run_->pid());
  ASSERT_EQ(Turn({"--hook", kill}), 128 + 9) << Log();
  std::optional<Sql> alive(db_.BlueInfo());
  alive->Exec("SELECT pg_advisory_lock(hashtext('pgteal turn'), hashtext('pgteal'))");
  Gate blue(db_.clusters().blue());
  blue.Delay(std::chrono::milliseconds(150));
  const auto settler =
      db_.PgtealVia(blue.ConnInfo(db_.name()), "host=127.0.0.1 port=1 dbname=gone", {"status"});
  // The row alone, not together with others as when it connects.
  constexpr const char* kHasReadSql =
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
      " AND query LIKE 'SELECT epoch, attempt%' AND state = 'idle'";
  ASSERT_TRUE(WaitUntil(
      [&] { return !settler->IsRunning() || db_.blue().Scalar(kHasReadSql) != "0"; }, seconds(30)));
  blue.Stop();
  alive->Exec("BEGIN READ WRITE; UPDATE pgteal.turn SET phase = 'committing'; COMMIT");
  alive.reset();
  blue.Pass();
  EXPECT_TRUE(settler->WaitExit().has_value());
  EXPECT_EQ(db_.blue().Scalar("SELECT phase FROM pgteal.turn"), "committing") << settler->Log();
  EXPECT_FALSE(IsBlueOpen());
}

TEST_F(SwitchoverFault, BlueGoesDownAfterAnyStep) {
  for (const auto& phase : kBefore) {
    SCOPED_TRACE(phase);
    const int code = TurnWith(phase, [this](const std::string& go) {
      db_.clusters().blue().Stop(PgCluster::StopMode::kImmediate);
      LetGo(go);
      db_.clusters().blue().Start();
    });
    // Once armed, blue is not needed any more to open green.
    if (code == 0) {
      ASSERT_NO_FATAL_FAILURE(ExpectTurned(false));
      ASSERT_EQ(Turn(), 0) << Log();
      ASSERT_NO_FATAL_FAILURE(ExpectTurned(true));
    } else {
      EXPECT_EQ(code, 1) << Log();
      ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
    }
  }
}

TEST_F(SwitchoverFault, GreenGoesDownAfterAnyStep) {
  for (const auto& phase : kBefore) {
    SCOPED_TRACE(phase);
    const int code = TurnWith(phase, [this](const std::string& go) {
      db_.clusters().green().Stop(PgCluster::StopMode::kImmediate);
      LetGo(go);
      db_.clusters().green().Start();
    });
    EXPECT_EQ(code, 1) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  }
}

TEST_F(SwitchoverFault, BlueIsReopenedWhileGreenStaysDown) {
  const int code = TurnWith("drain", [this](const std::string& go) {
    db_.clusters().green().Stop(PgCluster::StopMode::kImmediate);
    LetGo(go);
    EXPECT_TRUE(WaitUntil([this] { return IsBlueOpen(); }, seconds(30)));
    db_.clusters().green().Start();
  });
  EXPECT_EQ(code, 1) << Log();
  ASSERT_NO_FATAL_FAILURE(ExpectUndone(false));
  // The slot of the way back that was prepared there goes with the next look.
  EXPECT_EQ(Pgteal({"status"}), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
}

TEST_F(SwitchoverFault, ServersGoDownAfterThePointOfNoReturn) {
  for (const bool is_opened : {true, false}) {
    SCOPED_TRACE(is_opened ? "the opened side" : "the closed side");
    const bool was_green = IsGreenOpen();
    auto& clusters = db_.clusters();
    auto& victim = is_opened == was_green ? clusters.blue() : clusters.green();
    EXPECT_EQ(TurnWith("commit",
                       [&](const std::string& go) {
                         victim.Stop(PgCluster::StopMode::kImmediate);
                         LetGo(go);
                         victim.Start();
                       }),
              0)
        << Log();
    EXPECT_EQ(Pgteal({"status"}), 0) << Log();
    ASSERT_NO_FATAL_FAILURE(ExpectTurned(was_green));
  }
}

}  // namespace
}  // namespace pgteal::tests
