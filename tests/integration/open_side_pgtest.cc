#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/fault/turn_test.h"

namespace pgteal::tests {
namespace {

// Two deployments, `a` and `b`, between the same two databases, each with a table of its own: what
// one of them closes and opens is the other's, too.
class OpenSideTest : public TurnTest {
 protected:
  OpenSideTest() {
    db_.ExecBoth("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  }

  void Start(const std::string& name) {
    auto& run = runs_[name];
    run = db_.Pgteal({"run", "--copy", "none", "--name", name, "--include-table", name});
    ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  }
  void StartBoth() {
    for (const auto* name : {"a", "b"}) ASSERT_NO_FATAL_FAILURE(Start(name));
  }
  void Do(const std::string& verb, const std::string& name, const Args& more = {}) {
    Args args = {verb, "--name", name, "--skip-check", "F6"};
    args.insert(args.end(), more.begin(), more.end());
    ASSERT_EQ(Pgteal(args), 0) << verb << " " << name << ": " << Log();
  }
  void CleanUp(const std::string& name, const Args& more = {}) {
    runs_.at(name)->Terminate();
    ASSERT_EQ(runs_.at(name)->WaitExit(), 130);
    Args args = {"cleanup", "--name", name};
    args.insert(args.end(), more.begin(), more.end());
    ASSERT_EQ(Pgteal(args), 0) << Log();
  }
  // NULL ("\N") when there is none.
  static std::string Default(Sql& side) {
    return side.Scalar(
        "SELECT (SELECT setconfig::text FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase"
        " = (SELECT oid FROM pg_database WHERE datname = current_database()))");
  }
  void MakeReadOnlyByHand(Sql& side) {
    side.Exec("ALTER DATABASE " + db_.name() + " SET default_transaction_read_only = on");
  }

  std::map<std::string, std::unique_ptr<PgtealProcess>> runs_;
};

TEST_F(OpenSideTest, CleanupLeavesAGreenOpenThatWasReadOnlyByHandBeforehand) {
  for (const Args& only : {Args{}, Args{"--only", "green"}}) {
    MakeReadOnlyByHand(db_.green());
    ASSERT_NO_FATAL_FAILURE(Start("a"));
    ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
    EXPECT_TRUE(Admits(db_.GreenInfo()));
    ASSERT_NO_FATAL_FAILURE(CleanUp("a", only));
    EXPECT_TRUE(Admits(db_.GreenInfo()));
    if (only.empty()) db_.blue().Exec("ALTER ROLE shop LOGIN");
  }
}

TEST_F(OpenSideTest, CleanupAfterThereAndBackLeavesGreenReadOnlyAsItWas) {
  MakeReadOnlyByHand(db_.green());
  const auto before = Settings();
  ASSERT_NO_FATAL_FAILURE(Start("a"));
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  ASSERT_NO_FATAL_FAILURE(Do("rollback", "a"));
  ASSERT_NO_FATAL_FAILURE(CleanUp("a"));
  EXPECT_EQ(Settings(), before);
}

TEST_F(OpenSideTest, GreenStaysOpenInWhateverOrderTwoThatWereSwitchedAreCleanedUp) {
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  for (const auto* name : {"a", "b"}) ASSERT_NO_FATAL_FAILURE(Do("switchover", name));
  for (const auto* name : {"b", "a"}) {
    ASSERT_NO_FATAL_FAILURE(CleanUp(name));
    EXPECT_TRUE(Admits(db_.GreenInfo())) << name << " was cleaned up";
  }
  EXPECT_EQ(Default(db_.green()), "\\N");
}

TEST_F(OpenSideTest, GreenStaysOpenWhenOneThatWasNotSwitchedIsCleanedUp) {
  MakeReadOnlyByHand(db_.green());
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  ASSERT_NO_FATAL_FAILURE(CleanUp("b"));
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  EXPECT_EQ(Default(db_.green()), "\\N");
}

TEST_F(OpenSideTest, ADeploymentThatBeginsLaterLeavesAGreenOpenThatTakesTheWrites) {
  ASSERT_NO_FATAL_FAILURE(Start("a"));
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  DatabasePair other(db_.clusters());
  other.blue().Exec("CREATE TABLE b (id int PRIMARY KEY)");
  auto& run = runs_["b"];
  run = db_.PgtealVia(other.BlueInfo(), "", {"run", "--copy", "none", "--name", "b"});
  ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  EXPECT_TRUE(run->WaitForLog("green takes the writes of deployment a"));
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  run->Terminate();
  EXPECT_EQ(run->WaitExit(), 130);
}

TEST_F(OpenSideTest, BlueIsOpenedByWhicheverOfTwoComesBack) {
  const Rows before = Settings().front();
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  for (const std::string order : {"ab", "ba"}) {
    for (const auto* name : {"a", "b"}) ASSERT_NO_FATAL_FAILURE(Do("switchover", name));
    EXPECT_FALSE(IsBlueOpen());
    for (const char name : order) {
      ASSERT_NO_FATAL_FAILURE(Do("rollback", {name}));
      EXPECT_TRUE(IsBlueOpen()) << name << " came back";
    }
    EXPECT_EQ(Settings().front(), before);
  }
}

TEST_F(OpenSideTest, GreenIsOpenedThoughAnotherThatCameBackHadClosedIt) {
  const Rows before = Settings().back();
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  ASSERT_NO_FATAL_FAILURE(Do("rollback", "a"));
  EXPECT_FALSE(Admits(db_.GreenInfo()));
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "b"));
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  ASSERT_NO_FATAL_FAILURE(CleanUp("a"));
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  EXPECT_EQ(Settings().back(), before);
}

TEST_F(OpenSideTest, AFenceStaysUpWhenAnotherOfTheSameBlueIsUndone) {
  const Rows before = Settings().front();
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  HeldTurn a(db_, "a", false);
  HeldTurn b(db_, "b", true);
  EXPECT_EQ(a.End(), 3);
  EXPECT_FALSE(IsBlueOpen()) << "behind b's fence";
  EXPECT_EQ(b.End(), 0);
  EXPECT_FALSE(IsBlueOpen());
  ASSERT_NO_FATAL_FAILURE(Do("rollback", "b"));
  EXPECT_EQ(Settings().front(), before);
}

TEST_F(OpenSideTest, ARollbackDoesNotOpenABlueThatASwitchoverHasJustClosed) {
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  HeldTurn b(db_, "b", true);
  EXPECT_EQ(Pgteal({"rollback", "--name", "a", "--skip-check", "F6"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("a switchover of deployment b has just closed"));
  EXPECT_FALSE(IsBlueOpen());
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  EXPECT_EQ(b.End(), 0);
  EXPECT_FALSE(IsBlueOpen());
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  ASSERT_NO_FATAL_FAILURE(Do("rollback", "a"));
  EXPECT_TRUE(IsBlueOpen());
}

// Production has been writing there, whatever green was before.
TEST_F(OpenSideTest, GreenStaysOpenWhenTheOneThatWasSwitchedIsCleanedUpFirst) {
  MakeReadOnlyByHand(db_.green());
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  for (const auto* name : {"a", "b"}) {
    ASSERT_NO_FATAL_FAILURE(CleanUp(name));
    EXPECT_TRUE(Admits(db_.GreenInfo())) << name << " was cleaned up";
  }
  EXPECT_EQ(Default(db_.green()), "\\N");
}

TEST_F(OpenSideTest, GreenStaysOpenWhenOneOfTwoThatWereNotSwitchedIsCleanedUpAfterwards) {
  db_.ExecBoth("CREATE TABLE c (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  ASSERT_NO_FATAL_FAILURE(Start("c"));
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  for (const auto* name : {"a", "c", "b"}) {
    ASSERT_NO_FATAL_FAILURE(CleanUp(name));
    EXPECT_TRUE(Admits(db_.GreenInfo())) << name << " was cleaned up";
  }
}

// What a's fence remembers of green is there again when b opens it.
TEST_F(OpenSideTest, AReadOnlyRoleIsFoundThoughAnotherFenceHasClosedIt) {
  const auto expect_refused = [this] {
    EXPECT_EQ(Pgteal({"switchover", "--name", "b", "--skip-check", "F6"}), 3) << Log();
    EXPECT_THAT(Log(), testing::HasSubstr("H13 "));
  };
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  db_.green().Exec("ALTER ROLE shop SET default_transaction_read_only = on");
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a", {"--skip-check", "H13"}));
  expect_refused();
  ASSERT_NO_FATAL_FAILURE(Do("rollback", "a"));
  expect_refused();
  db_.green().Exec("ALTER ROLE shop RESET default_transaction_read_only");
}

TEST_F(OpenSideTest, ADefaultOfARoleThatAnotherFenceHoldsIsNotInTheWay) {
  db_.ExecBoth("ALTER ROLE shop SET default_transaction_read_only = off");
  const Rows before = Settings().back();
  ASSERT_NO_FATAL_FAILURE(StartBoth());
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "a"));
  ASSERT_NO_FATAL_FAILURE(Do("rollback", "a"));
  ASSERT_NO_FATAL_FAILURE(Do("switchover", "b"));
  EXPECT_TRUE(Admits(db_.GreenInfo()));
  EXPECT_EQ(Settings().back(), before);
  db_.ExecBoth("ALTER ROLE shop RESET default_transaction_read_only");
}

}  // namespace
}  // namespace pgteal::tests
