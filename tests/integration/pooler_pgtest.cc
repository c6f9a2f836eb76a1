#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/fault/turn_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// Debian's pgbouncer between pgbench and the side that takes the writes.
class PoolerTest : public TurnTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartRun());
    StartPooler();
  }

  // Somebody may take the port between our probe and its bind.
  void StartPooler() {
    constexpr int kAttempts = 5;
    bool is_up = false;
    for (int attempt = 0; attempt < kAttempts && !is_up; ++attempt) {
      port_ = FreePort();
      WriteIni();
      pooler_ = std::make_unique<Process>(
          ProcessOptions{.argv = {"/usr/sbin/pgbouncer", Ini()}, .user = ServerUser()});
      ASSERT_TRUE(WaitUntil(
          [&] {
            is_up = Answers();
            return is_up || !pooler_->IsRunning();
          },
          seconds(20)))
          << PoolerLog();
    }
    ASSERT_TRUE(is_up) << PoolerLog();
  }

  void WriteIni() {
    const int blue_port = db_.clusters().blue().port();
    const std::string users = (folder_ / "users").string();
    std::ofstream(users) << "\"shop\" \"\"\n\"admin\" \"\"\n";
    std::ofstream ini(Ini());
    ini << "[databases]\n"
        << db_.name() << " = host=127.0.0.1 port=" << blue_port << " dbname=" << db_.name()
        << " pool_size=6\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_
        << "\nunix_socket_dir =\nauth_type = trust\nauth_file = " << users
        << "\nadmin_users = admin\npool_mode = transaction\n"
        << more_ini_ << "logfile = " << (folder_ / "log").string()
        << "\npidfile = " << (folder_ / "pid").string() << "\n";
    ini.close();
    for (const auto& file : {Ini(), users}) {
      std::filesystem::permissions(file, std::filesystem::perms::others_read,
                                   std::filesystem::perm_options::add);
    }
  }

  bool Answers() const {
    try {
      Sql session(Via() + " user=shop dbname=" + db_.name());
      return session.Scalar("SELECT 1") == "1";
    } catch (const SqlError&) {
      return false;
    }
  }
  static int Warnings(const std::string& log) {
    constexpr std::string_view kWarning = "PgBouncer may still keep the clients";
    int count = 0;
    for (size_t at = 0; (at = log.find(kWarning, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  static bool HasWarned(const std::string& log) { return Warnings(log) > 0; }
  std::string Ini() const { return (folder_ / "pgbouncer.ini").string(); }
  std::string PoolerLog() const { return ReadFile(folder_ / "log"); }
  std::string Via() const { return "host=127.0.0.1 port=" + std::to_string(port_); }
  Args ThroughPooler(Args more = {}) const {
    more.insert(more.end(), {"--pgbouncer", Via() + " user=admin dbname=pgbouncer",
                             "--pgbouncer-config", Ini()});
    return more;
  }

  // Clients that insert through the pooler until EndBench(). pgbench ends with an error at the
  // first one it sees.
  std::unique_ptr<Process> StartBench() {
    std::ofstream script(folder_ / "script.sql");
    script << "\\set n random(1, 1000000000)\nINSERT INTO ledger VALUES (100 + :client_id, :n, '')"
              " ON CONFLICT DO NOTHING;\n";
    script.close();
    return std::make_unique<Process>(
        ProcessOptions{.argv = {ClientProgram("pgbench").string(), "-n", "-c", "4", "-T", "600",
                                "-R", "400", "-f", (folder_ / "script.sql").string(), "-h",
                                "127.0.0.1", "-p", std::to_string(port_), "-U", "shop", db_.name()},
                       .stdout_path = folder_ / "bench"});
  }
  // As if -T were over: each client ends its transaction.
  void EndBench(Process& bench) {
    EXPECT_TRUE(bench.IsRunning());
    bench.Kill(SIGALRM);
    const auto status = bench.Wait(seconds(30));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->code, 0) << ReadFile(folder_ / "bench");
    EXPECT_THAT(ReadFile(folder_ / "bench"),
                testing::HasSubstr("number of failed transactions: 0"));
  }

  TempFolder folder_{"pgteal-pooler", ServerUser()};
  int port_ = 0;
  std::string more_ini_;
  std::unique_ptr<Process> pooler_;
};

TEST_F(PoolerTest, ClientsSeeAPauseAndNoErrorThereAndBack) {
  auto bench = StartBench();
  const auto count = [](Sql& side) {
    return std::stoi(side.Scalar("SELECT count(*) FROM ledger"));
  };
  ASSERT_TRUE(WaitUntil([&] { return count(db_.blue()) > 50; }, seconds(20)));
  ASSERT_EQ(Turn(ThroughPooler()), 0) << Log() << PoolerLog();
  EXPECT_THAT(ReadFile(Ini()), testing::HasSubstr("pool_size=6"));
  const int at_turn = count(db_.green());
  ASSERT_TRUE(WaitUntil([&] { return count(db_.green()) > at_turn + 50; }, seconds(20)))
      << PoolerLog();
  ASSERT_EQ(Turn(ThroughPooler()), 0) << Log() << PoolerLog();
  const int at_return = count(db_.blue());
  ASSERT_TRUE(WaitUntil([&] { return count(db_.blue()) > at_return + 50; }, seconds(20)))
      << PoolerLog();
  ASSERT_NO_FATAL_FAILURE(EndBench(*bench));
  EXPECT_TRUE(WaitUntil([this] { return bool(db_.Equal()); }, seconds(20)));
}

TEST_F(PoolerTest, AnUndoneSwitchoverLetsTheClientsGoOn) {
  auto bench = StartBench();
  EXPECT_EQ(Turn(ThroughPooler({"--hook", "test \"$PGTEAL_PHASE\" != prove"})), 3) << Log();
  ASSERT_NO_FATAL_FAILURE(EndBench(*bench));
  EXPECT_TRUE(IsBlueOpen());
}

// Neither `run` nor `status`, which settle the attempt, know the console.
TEST_F(PoolerTest, ClientsThatAKilledToolLeftWaitingGoOnWithTheNextOneOnTheSideThatIsOpen) {
  auto bench = StartBench();
  bool is_turned = false;
  // The last one is a rollback, watched by a stream that runs back.
  for (const std::string phase : {"fence", "commit", "fence"}) {
    SCOPED_TRACE(phase);
    is_turned = is_turned || phase == "commit";
    const int warnings = Warnings(run_->Log());
    ASSERT_EQ(
        Turn(ThroughPooler({"--hook", "test \"$PGTEAL_PHASE\" != " + phase + " || kill -9 $PPID"})),
        128 + 9)
        << Log();
    ASSERT_TRUE(WaitUntil([&] { return is_turned ? IsGreenOpen() : IsBlueOpen(); }, seconds(20)));
    ASSERT_TRUE(WaitUntil([&] { return Warnings(run_->Log()) > warnings; }, seconds(20)))
        << run_->Log();
    EXPECT_EQ(Pgteal({"status"}), 0) << Log();
    EXPECT_TRUE(HasWarned(Log())) << Log();
    // Nothing to switch over to any more, but the clients get to the side that is open.
    EXPECT_EQ(Pgteal(ThroughPooler({"switchover", "--dry-run"})), is_turned ? 3 : 0) << Log();
    EXPECT_TRUE(Answers()) << PoolerLog();
    EXPECT_EQ(Pgteal({"status"}), 0) << Log();
    EXPECT_FALSE(HasWarned(Log())) << Log();
  }
  ASSERT_NO_FATAL_FAILURE(EndBench(*bench));
  Sql session(Via() + " user=shop dbname=" + db_.name());
  EXPECT_EQ(session.Scalar("SHOW port"), std::to_string(db_.clusters().green().port()));
}

TEST_F(PoolerTest, ATransactionThatDoesNotEndLetsThePauseTimeOutAndTheClientsGoOn) {
  Sql open(Via() + " user=shop dbname=" + db_.name());
  open.Exec("BEGIN; INSERT INTO ledger VALUES (8, 1, 'still open')");
  EXPECT_EQ(Turn(ThroughPooler({"--timeout", "3"})), 5) << Log();
  EXPECT_TRUE(Answers()) << PoolerLog();
  open.Exec("COMMIT");
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_EQ(Pgteal({"status"}), 0) << Log();
  EXPECT_FALSE(HasWarned(Log())) << Log();
}

// Without the configuration's path: what points the entry at the open side is the hook's.
TEST_F(PoolerTest, AHookCanPointTheEntryAtTheSideThatIsOpenAlsoAfterAKilledTool) {
  const std::string port = ClientProgram("psql").string() + " -XAtqc 'SHOW port' \"$PGTEAL_TO\"";
  const std::string point = "{ port=$(" + port +
                            "); sed -i \"s/ port=[0-9]* dbname/ port=$port dbname/\" " + Ini() +
                            "; }";
  const std::string hook = "test \"$PGTEAL_PHASE\" != switched || " + point;
  const auto turn = [&](const std::string& more) {
    return Turn({"--pgbouncer", Via() + " user=admin dbname=pgbouncer", "--hook", more + hook});
  };
  const auto answering = [this] {
    return Sql(Via() + " user=shop dbname=" + db_.name()).Scalar("SHOW port");
  };
  ASSERT_EQ(turn(""), 0) << Log();
  EXPECT_EQ(answering(), std::to_string(db_.clusters().green().port()));
  ASSERT_EQ(turn("test \"$PGTEAL_PHASE\" != commit || kill -9 $PPID; "), 128 + 9) << Log();
  ASSERT_TRUE(WaitUntil([this] { return HasWarned(run_->Log()); }, seconds(20))) << run_->Log();
  EXPECT_EQ(
      Pgteal({"rollback", "--pgbouncer", Via() + " user=admin dbname=pgbouncer", "--hook", hook}),
      3)
      << Log();
  EXPECT_EQ(answering(), std::to_string(db_.clusters().blue().port()));
}

// Settings, locks and the backend change with every transaction there.
TEST_F(PoolerTest, AStreamDoesNotBeginThroughIt) {
  const std::string objects =
      "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM"
      " pg_replication_slots) + (SELECT count(*) FROM pg_namespace)";
  const auto before = std::make_pair(db_.blue().Scalar(objects), db_.green().Scalar(objects));
  const std::string pooled = Via() + " user=shop dbname=" + db_.name();
  const auto expect_refused = [&](const std::string& source, const std::string& target) {
    tool_ = db_.PgtealVia(source, target, {"run", "--copy", "none", "--name", "pooled"});
    EXPECT_EQ(tool_->WaitExit(seconds(10)), 3) << Log();
    EXPECT_THAT(Log(), testing::HasSubstr("Connect to the server directly"));
  };
  expect_refused(pooled, "");
  expect_refused("", pooled);
  // It then drops them without a word.
  more_ini_ = "ignore_startup_parameters = options\n";
  ASSERT_NO_FATAL_FAILURE(StartPooler());
  const std::string silent = Via() + " user=shop dbname=" + db_.name();
  expect_refused(silent, "");
  expect_refused("", silent);
  EXPECT_EQ(std::make_pair(db_.blue().Scalar(objects), db_.green().Scalar(objects)), before);
}

TEST_F(PoolerTest, AWrongConsoleOrEntryIsFoundBeforeAnythingIsClosed) {
  EXPECT_EQ(Turn({"--pgbouncer", Via() + " user=nobody dbname=pgbouncer"}), 1) << Log();
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_EQ(Turn(ThroughPooler({"--pgbouncer-database", "other"})), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("no entry other"));
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_TRUE(Answers());
}

}  // namespace
}  // namespace pgteal::tests
