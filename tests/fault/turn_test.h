#ifndef PGTEAL_TESTS_FAULT_TURN_TEST_H_
#define PGTEAL_TESTS_FAULT_TURN_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/ledger.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wait.h"

namespace pgteal::tests {

// A deployment that streams under load, to be switched over and back. The application's role is
// `shop`; pgteal's is the superuser. One thread, apart from the clients.
class TurnTest : public testing::Test {
 protected:
  using Args = std::vector<std::string>;

  explicit TurnTest(ClusterPair& clusters = ClusterPair::Shared()) : db_(clusters) {
    Ledger::CreateTable(db_, kRole);
  }
  ~TurnTest() override {
    ledger_.reset();
    run_.reset();
    // What a failed test leaves closed would fail the next ones, too.
    for (auto* side : {&db_.blue(), &db_.green()}) {
      side->Exec(std::string("ALTER ROLE ") + kRole + " LOGIN");
    }
  }

  void StartRun() {
    run_ = db_.Pgteal({"run", "--copy", "none"});
    ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  }
  void StartClients(int clients = 3, Ledger::Pace pace = {}) {
    ledger_ = std::make_unique<Ledger>(db_, kRole, clients, pace);
    ASSERT_TRUE(ledger_->WaitForMore(20));
  }

  // Runs a verb to its end; its log and report are kept.
  int Pgteal(const Args& args) {
    tool_ = db_.Pgteal(args);
    return tool_->WaitExit(std::chrono::seconds(40)).value_or(-1);
  }
  std::string Log() const { return tool_->Log() + tool_->Stdout(); }
  int Turn(Args more = {}) {
    Args args = {IsGreenOpen() ? "rollback" : "switchover"};
    args.insert(args.end(), more.begin(), more.end());
    return Pgteal(args);
  }

  static bool Admits(const std::string& conninfo) {
    try {
      Sql session(conninfo + " user=" + kRole);
      session.Exec("INSERT INTO ledger VALUES (-1, 1, 'probe') ON CONFLICT DO NOTHING");
      session.Exec("DELETE FROM ledger WHERE client = -1");
      return true;
    } catch (const SqlError&) {
      return false;
    }
  }
  bool IsBlueOpen() const { return Admits(db_.BlueInfo()); }
  // Who takes the writes by what pgteal says. Closing and opening a side end the sessions on it,
  // ours among them; what is asked at that moment is asked again.
  bool IsGreenOpen() {
    constexpr int kAttempts = 5;
    for (int attempt = 1;; ++attempt) {
      try {
        return Epoch() % 2 == 1;
      } catch (const SqlError&) {
        if (attempt == kAttempts) throw;
      }
    }
  }
  int64_t Epoch() {
    int64_t epoch = 0;
    for (auto* side : {&db_.green(), &db_.blue()}) {
      if (side->Scalar("SELECT to_regclass('pgteal.turn') IS NULL") == "t") continue;
      epoch = std::max<int64_t>(
          epoch, std::stoll(side->Scalar("SELECT coalesce(max(epoch), 0) FROM pgteal.turn")));
    }
    return epoch;
  }
  // Exactly one side takes the application's writes.
  void ExpectOneSideOpen() {
    const bool is_green = IsGreenOpen();
    EXPECT_EQ(IsBlueOpen(), !is_green);
    EXPECT_EQ(Admits(db_.GreenInfo()), is_green);
  }
  // Who may log in, and every setting of roles and databases, on both sides.
  std::vector<Rows> Settings() const {
    constexpr const char* kSql =
        "SELECT rolname, rolcanlogin, setdatabase, setconfig FROM pg_roles LEFT JOIN"
        " pg_db_role_setting ON setrole = pg_roles.oid WHERE rolname !~ '^pg_'"
        " UNION ALL SELECT 'database', true, setdatabase, setconfig FROM pg_db_role_setting"
        " WHERE setrole = 0 ORDER BY 1, 3";
    return {Sql(db_.BlueInfo()).Query(kSql), Sql(db_.GreenInfo()).Query(kSql)};
  }
  // After the clients were stopped: nothing lost, nothing doubled, both sides the same.
  void ExpectNothingLost() {
    ledger_->Stop();
    EXPECT_TRUE(ledger_->IsKeptBy(IsGreenOpen() ? db_.green() : db_.blue()));
    if (!WaitUntil([this] { return bool(db_.Equal()); }, std::chrono::seconds(20))) {
      ADD_FAILURE() << db_.Equal().message() << run_->Log();
    }
  }

  static constexpr const char* kRole = "shop";
  DatabasePair db_;
  std::unique_ptr<PgtealProcess> run_;
  std::unique_ptr<PgtealProcess> tool_;
  std::unique_ptr<Ledger> ledger_;
};

// The same with a stream that is at work.
class SwitchoverTest : public TurnTest {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(StartRun()); }
};

// A switchover that waits between its fence and its drain, as long as the file `go` is not there;
// then it goes on, or fails.
class HeldTurn {
 public:
  HeldTurn(const DatabasePair& db, const std::string& name, bool goes_on)
      : tool_(db.Pgteal({"switchover", "--name", name, "--skip-check", "F6", "--hook",
                         "test \"$PGTEAL_PHASE\" != fence || { while ! test -e " + go() +
                             "; do sleep 0.02; done; " + (goes_on ? "true" : "false") + "; }"})) {
    EXPECT_TRUE(tool_->WaitForLog("step=fence")) << tool_->Log();
  }
  std::optional<int> End() {
    std::ofstream(go()) << "";
    return tool_->WaitExit();
  }

 private:
  std::string go() const { return (folder_ / "go").string(); }

  const TempFolder folder_{"pgteal-go"};
  const std::unique_ptr<PgtealProcess> tool_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_FAULT_TURN_TEST_H_
