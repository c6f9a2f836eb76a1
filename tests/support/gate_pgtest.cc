#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/support/gate.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

PgCluster& Server() {
  static PgCluster* const server = [] {
    static PgCluster cluster(17);
    cluster.Start();
    return &cluster;
  }();
  return *server;
}

class GateTest : public testing::Test {
 protected:
  GateTest() : direct_(Server().Connect()), gate_(Server()) {
    direct_.Exec("DROP TABLE IF EXISTS t; CREATE TABLE t(a int)");
  }
  std::string Count() { return direct_.Scalar("SELECT count(*) FROM t"); }

  Sql direct_;
  Gate gate_;
};

TEST_F(GateTest, PassesBytesOverTcpAndUnixSocketAndCountsThem) {
  Sql tcp(gate_.ConnInfo());
  Sql local(gate_.UnixConnInfo());
  EXPECT_EQ(tcp.Scalar("SELECT length(repeat('x', 1000000))"), "1000000");
  EXPECT_EQ(local.Scalar("SELECT repeat('x', 3000000)").size(), 3000000U);
  EXPECT_EQ(gate_.connections(), 2U);
  EXPECT_GT(gate_.bytes_to_client(), 3000000U);
  EXPECT_EQ(gate_.cuts(), 0U);
}

TEST_F(GateTest, CutBeforeCommitLosesTheTransaction) {
  Sql sql(gate_.ConnInfo());
  sql.Exec("BEGIN");
  sql.Exec("INSERT INTO t VALUES (1)");
  gate_.CutOn("COMMIT", Gate::Where::kBefore);
  EXPECT_EQ(sql.Failure("COMMIT"), "08006");
  EXPECT_EQ(gate_.cuts(), 1U);
  const std::string gone =
      "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = " + std::to_string(sql.backend_pid());
  EXPECT_TRUE(WaitUntil([&] { return direct_.Scalar(gone) == "t"; }, seconds(10)));
  EXPECT_EQ(Count(), "0");
}

TEST_F(GateTest, CutAfterCommitKeepsTheTransactionButTheClientDoesNotHearOfIt) {
  Sql sql(gate_.ConnInfo());
  sql.Exec("BEGIN");
  sql.Exec("INSERT INTO t VALUES (1)");
  gate_.CutOn("COMMIT", Gate::Where::kAfter);
  EXPECT_EQ(sql.Failure("COMMIT"), "08006");
  EXPECT_TRUE(WaitUntil([&] { return Count() == "1"; }, seconds(10)));
}

TEST_F(GateTest, CutsOnTheNthOccurrenceOnly) {
  Sql sql(gate_.ConnInfo());
  gate_.CutOn("INSERT", Gate::Where::kBefore, 3);
  sql.Exec("INSERT INTO t VALUES (1)");
  sql.Exec("INSERT INTO t VALUES (2)");
  EXPECT_EQ(sql.Failure("INSERT INTO t VALUES (3)"), "08006");
  Sql again(gate_.ConnInfo());
  again.Exec("INSERT INTO t VALUES (4)");
  EXPECT_EQ(Count(), "3");
}

TEST_F(GateTest, CutsAfterAnExactNumberOfBytesInEitherWay) {
  for (const Gate::Way way : {Gate::Way::kToServer, Gate::Way::kToClient}) {
    Sql sql(gate_.ConnInfo());
    const auto passed = [&] {
      return way == Gate::Way::kToServer ? gate_.bytes_to_server() : gate_.bytes_to_client();
    };
    const uint64_t before = passed();
    gate_.CutAfterBytes(1000, way);
    EXPECT_EQ(sql.Failure("SELECT repeat('x', 100000), '" + std::string(100000, 'y') + "'"),
              "08006");
    EXPECT_EQ(passed() - before, 1000U);
  }
  EXPECT_EQ(gate_.cuts(), 2U);
}

TEST_F(GateTest, DelaysEachWay) {
  Sql sql(gate_.ConnInfo());
  gate_.Delay(milliseconds(60));
  const auto begin = Clock::now();
  sql.Exec("SELECT 1");
  EXPECT_GE(Clock::now() - begin, milliseconds(120));
  gate_.Pass();
}

TEST_F(GateTest, LimitsTheRate) {
  Sql sql(gate_.ConnInfo());
  gate_.LimitBytesPerSecond(1'000'000);
  const auto begin = Clock::now();
  sql.Exec("SELECT repeat('x', 500000)");
  EXPECT_GE(Clock::now() - begin, milliseconds(350));
}

TEST_F(GateTest, StoppedHoldsBytesUntilItPassesAgain) {
  Sql sql(gate_.ConnInfo());
  gate_.Stop();
  sql.Send("INSERT INTO t VALUES (1)");
  std::thread later([this] {
    EXPECT_FALSE(WaitUntil([this] { return gate_.cuts() > 0; }, milliseconds(100)));
    EXPECT_EQ(Server().Connect().Scalar("SELECT count(*) FROM t"), "0");
    gate_.Pass();
  });
  sql.Finish();
  later.join();
  EXPECT_EQ(Count(), "1");
}

TEST_F(GateTest, CutNowClosesAllAndRefuseTurnsAway) {
  Sql one(gate_.ConnInfo());
  Sql other(gate_.UnixConnInfo());
  gate_.CutNow();
  EXPECT_EQ(one.Failure("SELECT 1"), "08006");
  EXPECT_EQ(other.Failure("SELECT 1"), "08006");
  EXPECT_EQ(gate_.cuts(), 2U);
  gate_.Refuse(true);
  EXPECT_THROW(Sql(gate_.ConnInfo()), SqlError);
  gate_.Refuse(false);
  EXPECT_EQ(Sql(gate_.ConnInfo()).Scalar("SELECT 1"), "1");
}

TEST_F(GateTest, TurnsClientsAwayWhileTheServerIsDown) {
  Server().Stop();
  EXPECT_THROW(Sql(gate_.ConnInfo()), SqlError);
  Server().Start();
  EXPECT_EQ(Sql(gate_.ConnInfo()).Scalar("SELECT 1"), "1");
}

}  // namespace
}  // namespace pgteal::tests
