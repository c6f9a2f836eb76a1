#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/fault/turn_test.h"
#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

// Two databases of one blue server, each with a deployment, to databases of one green server. Both
// applications log in as `shop`: what a fence does to a role is the other database's, too.
class SharedRolesTest : public TurnTest {
 protected:
  SharedRolesTest() : other_(db_.clusters()) { Ledger::CreateTable(other_, kRole); }

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartRun());
    other_run_ = other_.Pgteal({"run", "--copy", "none", "--name", "other"});
    ASSERT_TRUE(other_run_->WaitForLog("streaming slot=")) << other_run_->Log();
  }

  // "pgteal" is the deployment of db_, "other" that of other_.
  int Do(const std::string& verb, const std::string& name, const Args& more = {}) {
    Args args = {verb, "--name", name};
    args.insert(args.end(), more.begin(), more.end());
    tool_ = (name == "other" ? other_ : db_).Pgteal(args);
    return tool_->WaitExit(std::chrono::seconds(40)).value_or(-1);
  }
  const DatabasePair& Of(const std::string& name) const { return name == "other" ? other_ : db_; }
  // As a program could that does not care for the default.
  static bool MayWrite(const std::string& conninfo) {
    return Admits(conninfo + " options='-c default_transaction_read_only=off'");
  }
  void CleanUpBoth() {
    for (auto* run : {run_.get(), other_run_.get()}) {
      run->Terminate();
      ASSERT_EQ(run->WaitExit(), 130);
    }
    for (const auto* name : {"pgteal", "other"}) ASSERT_EQ(Do("cleanup", name), 0) << Log();
  }

  DatabasePair other_;
  std::unique_ptr<PgtealProcess> other_run_;
};

constexpr const char* kPairs[][2] = {{"pgteal", "other"}, {"other", "pgteal"}};

TEST_F(SharedRolesTest, ARoleComesBackWithTheLastDatabaseThatKeepsItOut) {
  db_.ExecBoth("ALTER ROLE shop SET default_transaction_read_only = off");
  const auto before = Settings();
  for (const auto& [first, last] : kPairs) {
    for (const auto* name : {"pgteal", "other"}) {
      // The second time green's fences are the ones that keep it out.
      EXPECT_EQ(Do("switchover", name, {"--skip-check", "H17"}), 0) << Log();
    }
    EXPECT_TRUE(MayWrite(db_.GreenInfo()));
    EXPECT_TRUE(MayWrite(other_.GreenInfo()));
    EXPECT_EQ(Do("rollback", first), 3) << Log();
    EXPECT_THAT(Log(), testing::HasSubstr("H17 "));
    EXPECT_THAT(Log(),
                testing::HasSubstr("role shop stays without LOGIN: it is kept out of database " +
                                   Of(last).name()));
    ASSERT_EQ(Do("rollback", first, {"--skip-check", "H17"}), 0) << Log();
    EXPECT_THAT(Log(), testing::HasSubstr("role shop stays without LOGIN"));
    EXPECT_FALSE(MayWrite(Of(last).BlueInfo())) << "it takes no writes";
    ASSERT_EQ(Do("rollback", last), 0) << Log();
    for (const auto* name : {"pgteal", "other"}) EXPECT_TRUE(Admits(Of(name).BlueInfo())) << name;
    EXPECT_EQ(Settings().front(), before.front());
  }
  ASSERT_NO_FATAL_FAILURE(CleanUpBoth());
  EXPECT_EQ(Settings().front(), before.front());
  EXPECT_EQ(Settings().back(), before.front()) << "green's databases are not read-only any more";
  db_.ExecBoth("ALTER ROLE shop RESET default_transaction_read_only");
}

TEST_F(SharedRolesTest, AnAttemptThatIsUndoneLetsNobodyIntoADatabaseThatWasClosedMeanwhile) {
  const auto before = Settings();
  HeldTurn held(db_, "pgteal", false);
  ASSERT_EQ(Do("switchover", "other"), 0) << Log();
  EXPECT_EQ(held.End(), 3);
  EXPECT_FALSE(MayWrite(other_.BlueInfo()));
  ASSERT_EQ(Do("rollback", "other"), 0) << Log();
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_TRUE(Admits(other_.BlueInfo()));
  EXPECT_EQ(Settings().front(), before.front());
}

TEST_F(SharedRolesTest, CleanupTellsHowToOpenWhatItLeavesClosed) {
  const auto before = Settings();
  for (const auto* name : {"pgteal", "other"}) ASSERT_EQ(Do("switchover", name), 0) << Log();
  other_run_->Terminate();
  ASSERT_EQ(other_run_->WaitExit(), 130);
  ASSERT_EQ(Do("cleanup", "other"), 0) << Log();
  const std::string out = tool_->Stdout();
  ASSERT_EQ(Do("rollback", "pgteal", {"--skip-check", "H17"}), 0) << Log();
  EXPECT_FALSE(MayWrite(other_.BlueInfo()));
  const std::string intro = "this opens it: ";
  const size_t begin = out.find(intro) + intro.size();
  other_.blue().Exec(out.substr(begin, out.find('\n', begin) - begin));
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_TRUE(Admits(other_.BlueInfo()));
  EXPECT_EQ(Settings().front(), before.front());
}

// An operator needs the other databases of a server that is left behind, and opens them by hand.
TEST_F(SharedRolesTest, ARoleThatWasLetInByHandIsLetInAgain) {
  ASSERT_EQ(Do("switchover", "other"), 0) << Log();
  db_.blue().Exec("ALTER ROLE shop LOGIN");
  EXPECT_EQ(Do("switchover", "pgteal", {"--hook", "test \"$PGTEAL_PHASE\" != fence"}), 3) << Log();
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_FALSE(Admits(other_.BlueInfo())) << "its default is read-only";
  ASSERT_EQ(Do("rollback", "other"), 0) << Log();
  EXPECT_TRUE(Admits(other_.BlueInfo()));
}

// Of two transactions that change one role the second fails once the first has committed.
TEST_F(SharedRolesTest, AFenceWaitsForWhoeverChangesARoleAtThatMoment) {
  Sql elsewhere(db_.clusters().blue().ConnInfo());
  elsewhere.Exec("BEGIN; ALTER ROLE shop CONNECTION LIMIT 50");
  auto turn = db_.Pgteal({"switchover"});
  ASSERT_TRUE(WaitUntil(
      [&] {
        return elsewhere.Scalar(
                   "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid'"
                   " AND NOT granted") == "1";
      },
      std::chrono::seconds(20)));
  elsewhere.Exec("COMMIT");
  EXPECT_EQ(turn->WaitExit(), 0) << turn->Log();
  elsewhere.Exec("ALTER ROLE shop CONNECTION LIMIT -1");
}

// The fence of one would keep the application out of the other.
TEST_F(SharedRolesTest, TwoDatabasesOfOneServerAreNotSwitchedOver) {
  const auto check = [this](const std::string& phase) {
    return ReadCheck(*db_.PgtealVia(db_.BlueInfo(), other_.BlueInfo(),
                                    {"check", "--json", "--phase", phase, "--only", "A3"}));
  };
  EXPECT_EQ(check("before").Outcomes("A3"), "WARN SKIPPED");
  const auto refused = check("switchover");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.Outcomes("A3"), testing::StartsWith("FAIL"));
  EXPECT_THAT(refused.Findings("A3"),
              testing::HasSubstr("blue and green are databases of one server"));
}

}  // namespace
}  // namespace pgteal::tests
