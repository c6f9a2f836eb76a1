#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "pg/catalog.h"
#include "pg/connection.h"
#include "pg/copy.h"
#include "pg/error.h"
#include "pg/pipelined.h"
#include "pg/sqlstate.h"
#include "tests/support/gate.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/wait.h"

namespace pgteal::pg {
namespace {

using std::chrono::seconds;
using tests::WaitUntil;

tests::PgCluster& Server() {
  // The warnings of a pipeline would fill the disk.
  static tests::PgCluster cluster(17, {{"log_min_messages", "fatal"}});
  static const bool is_started = (cluster.Start(), true);
  static_cast<void>(is_started);
  return cluster;
}

// A session of the client under test and one of the test's own.
class PgClient : public testing::Test {
 protected:
  static Connection Connect(const SessionOptions& options = {}, const std::string& more = "") {
    return Connection(ConnInfo::Parse(Server().ConnInfo() + more), options);
  }
  bool IsWaitingForLock(int pid) {
    return side_.Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = " +
                        std::to_string(pid)) != "0";
  }
  bool IsActive(int pid) {
    return side_.Scalar("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid = " +
                        std::to_string(pid)) != "0";
  }

  tests::Sql side_ = Server().Connect();
};

TEST_F(PgClient, SettingsOfTheRoleDoNotReachUs) {
  side_.Exec("DROP ROLE IF EXISTS hostile; CREATE ROLE hostile SUPERUSER LOGIN");
  const std::vector<std::pair<std::string, std::string>> hostile = {
      {"datestyle", "'SQL, DMY'"},
      {"intervalstyle", "'sql_standard'"},
      {"bytea_output", "'escape'"},
      {"extra_float_digits", "-15"},
      {"timezone", "'Asia/Kolkata'"},
      {"search_path", "'pg_temp'"},
      {"client_encoding", "'LATIN1'"},
      {"standard_conforming_strings", "off"},
      {"array_nulls", "off"},
      {"xmloption", "'document'"},
      {"row_security", "on"},
      {"statement_timeout", "'1ms'"},
      {"lock_timeout", "'1ms'"},
      {"idle_in_transaction_session_timeout", "'1ms'"},
      {"idle_session_timeout", "'1s'"},
      {"transaction_timeout", "'10s'"},
      {"default_transaction_read_only", "on"},
      {"default_transaction_isolation", "'serializable'"},
      {"default_transaction_deferrable", "on"}};
  for (const auto& [name, value] : hostile) {
    side_.Exec("ALTER ROLE hostile SET " + name + " = " + value);
  }
  auto connection = Connect({}, " user=hostile");
  const auto row = connection.Exec(
      "SELECT '2024-02-01'::date, '1 day 2 hours'::interval, '\\xff00'::bytea,"
      " 0.1::float8 + 0.2::float8, '2024-02-01 00:00+00'::timestamptz, U&'\\00E4', 'a\\b',"
      " '{NULL}'::int[] IS NOT NULL, pg_catalog.current_setting('search_path'),"
      " pg_catalog.current_setting('transaction_timeout')");
  const std::vector<std::string> expected = {"2024-02-01",
                                             "1 day 02:00:00",
                                             "\\xff00",
                                             "0.30000000000000004",
                                             "2024-02-01 00:00:00+00",
                                             "\xc3\xa4",
                                             "a\\b",
                                             "t",
                                             "",
                                             "0"};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(row.Text(0, static_cast<int>(i)), expected[i]) << "column " << i;
  }
  connection.Exec("CREATE TABLE public.by_hostile(id int); DROP TABLE public.by_hostile");
  connection.Exec("SELECT pg_catalog.pg_sleep(0.05)");
}

// On a busy machine the statement that would switch the timeout off is often too late itself.
TEST_F(PgClient, ATransactionTimeoutOfTheRoleIsOutlivedAtEveryConnect) {
  side_.Exec(
      "DROP ROLE IF EXISTS hasty; CREATE ROLE hasty LOGIN; ALTER ROLE hasty SET "
      "transaction_timeout = '1ms'");
  std::atomic<int> connected = 0;
  std::vector<std::thread> crowd;
  for (int i = 0; i < 16; ++i) {
    crowd.emplace_back([&connected] {
      try {
        for (int k = 0; k < 40; ++k) {
          auto connection = Connect({}, " user=hasty");
          connection.Exec("SELECT pg_catalog.pg_sleep(0.002)");
          ++connected;
        }
      } catch (const Error& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (std::thread& thread : crowd) thread.join();
  EXPECT_EQ(connected, 16 * 40);
}

TEST_F(PgClient, ADeadlineEndsTheWaitAndTheStatement) {
  auto connection = Connect();
  const int pid = connection.backend_pid();
  EXPECT_THROW(connection.Exec("SELECT pg_catalog.pg_sleep(600)",
                               Clock::now() + std::chrono::milliseconds(100)),
               ConnectionLost);
  EXPECT_TRUE(WaitUntil([&] { return !IsActive(pid); }, seconds(10)));
}

TEST_F(PgClient, AnInterruptEndsAWaitForALock) {
  side_.Exec("DROP TABLE IF EXISTS locked; CREATE TABLE locked(id int)");
  auto holder = Server().Connect();
  holder.Exec("BEGIN; LOCK TABLE locked");
  Interrupt interrupt;
  auto connection = Connect({.interrupt = &interrupt});
  const int pid = connection.backend_pid();
  std::jthread waiter(
      [&connection] { EXPECT_THROW(connection.Exec("SELECT * FROM public.locked"), Interrupted); });
  ASSERT_TRUE(WaitUntil([&] { return IsWaitingForLock(pid); }, seconds(10)));
  interrupt.Raise();
  waiter.join();
  EXPECT_TRUE(WaitUntil([&] { return !IsWaitingForLock(pid); }, seconds(10)))
      << "the statement still waits on the server";
}

TEST_F(PgClient, APipelineNeverDeadlocksHoweverMuchTheServerSays) {
  side_.Exec(
      "CREATE OR REPLACE FUNCTION loud(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
      "IF n % 50 = 0 THEN RAISE WARNING '%', repeat('x', 20000); END IF; RETURN n; END $$");
  constexpr int kStatements = 200'000;
  auto connection = Connect();
  Pipelined pipelined(connection);
  pipelined.SendPrepare("loud", "SELECT public.loud($1::text::int), $2::text", {{25}, {25}});
  const std::string ballast(100, 'y');
  for (int i = 1; i <= kStatements; ++i) {
    const std::string number = std::to_string(i);
    Params params;
    params.AddText(number);
    params.AddText(ballast);
    ASSERT_EQ(pipelined.SendPrepared("loud", params), static_cast<size_t>(i));
  }
  const auto& answers = pipelined.Finish();
  ASSERT_EQ(answers.size(), static_cast<size_t>(kStatements) + 1);
  for (int i = 1; i <= kStatements; ++i) {
    ASSERT_EQ(answers[static_cast<size_t>(i)].first_value, std::to_string(i));
  }
}

TEST_F(PgClient, AFailureNamesItsStatementAndNothingAfterItIsDone) {
  side_.Exec("DROP TABLE IF EXISTS counted; CREATE TABLE counted(id int)");
  auto connection = Connect();
  Pipelined pipelined(connection);
  pipelined.SendSql("BEGIN");
  pipelined.SendSql("INSERT INTO public.counted VALUES (1)");
  pipelined.Flush();
  pipelined.SendSql("SELECT 1/0");
  pipelined.SendSql("COMMIT");
  try {
    pipelined.Finish();
    ADD_FAILURE() << "it went through";
  } catch (const StatementFailed& failure) {
    EXPECT_EQ(failure.index(), 2U);
    EXPECT_EQ(failure.sqlstate(), "22012");
  }
  pipelined.Leave();
  EXPECT_TRUE(connection.in_transaction());
  connection.Exec("ROLLBACK");
  EXPECT_EQ(side_.Scalar("SELECT count(*) FROM counted"), "0");
  pipelined.SendSql("INSERT INTO public.counted SELECT generate_series(1, 7)");
  EXPECT_EQ(pipelined.Finish()[0].affected_rows, 7U) << "it counts from zero again";
  pipelined.SendSql("nonsense");
  EXPECT_THROW(pipelined.Leave(), StatementFailed);
  pipelined.Leave();
  EXPECT_EQ(connection.Exec("SELECT 1").Int(0, 0), 1);
}

TEST_F(PgClient, WhatIsAskedTogetherIsAnsweredInOrder) {
  auto client = Connect();
  const auto answers = client.ExecTogether(
      {{"SELECT $1::text", {"one"}}, {"SELECT 2 WHERE false", {}}, {"SELECT $1::text", {{}}}});
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].String(0, 0), "one");
  EXPECT_TRUE(answers[1].is_empty());
  EXPECT_TRUE(answers[2].IsNull(0, 0));
}

TEST_F(PgClient, OneFailureUndoesWhatWasAskedTogetherAndTheSessionGoesOn) {
  side_.Exec("DROP TABLE IF EXISTS together; CREATE TABLE together(a int)");
  auto client = Connect();
  try {
    client.ExecTogether({{"INSERT INTO public.together VALUES (1)", {}},
                         {"SELECT 1 / $1::int", {"0"}},
                         {"INSERT INTO public.together VALUES (2)", {}}});
    FAIL() << "a division by zero went unnoticed";
  } catch (const ServerError& error) {
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  EXPECT_EQ(client.Exec("SELECT count(*) FROM public.together").Int(0, 0), 0);
}

TEST_F(PgClient, ALostSessionIsNoticedByWhoAsksTogether) {
  auto client = Connect();
  EXPECT_THROW(
      client.ExecTogether({{"SELECT 1", {}},
                           {"SELECT pg_terminate_backend(pg_backend_pid())", {}},
                           {"SELECT 2", {}}}),
      Error);
  EXPECT_TRUE(client.is_broken());
}

TEST_F(PgClient, ParametersArriveAsTheyAre) {
  auto connection = Connect();
  Pipelined pipelined(connection);
  const std::string bytes("\0\xff", 2);
  Params params;
  params.AddNull();
  params.AddText("");
  params.AddBinary({});
  params.AddBinary(bytes);
  pipelined.SendPrepare("p",
                        "SELECT pg_catalog.concat_ws(',', $1 IS NULL, $2 = '', $3 = '',"
                        " pg_catalog.encode($4, 'hex'))",
                        {{25}, {25}, {17}, {17}});
  const size_t at = pipelined.SendPrepared("p", params);
  EXPECT_EQ(pipelined.Finish()[at].first_value, "t,t,t,00ff");
}

TEST_F(PgClient, ACopyInComesBackFromACopyOut) {
  side_.Exec("DROP TABLE IF EXISTS copied; CREATE TABLE copied(id int, v text)");
  auto connection = Connect();
  const std::string rows = "1\t\\N\n2\t\n3\ta\\tb\\nc\\\\.\n4\t" + std::string(300'000, 'z') + "\n";
  {
    CopyIn in(connection, "COPY public.copied FROM STDIN");
    // In pieces that end in the middle of rows and escapes.
    for (size_t at = 0; at < rows.size(); at += 7) in.Write(std::string_view(rows).substr(at, 7));
    EXPECT_EQ(in.Finish(), 4U);
  }
  CopyOut out(connection, "COPY (SELECT * FROM public.copied ORDER BY id) TO STDOUT");
  std::string back;
  while (const auto chunk = out.Next()) back += *chunk;
  EXPECT_EQ(back, rows);
  EXPECT_EQ(out.rows(), 4U);
}

TEST_F(PgClient, APipeCarriesACopyFromOneServerSessionToAnother) {
  side_.Exec(
      "DROP TABLE IF EXISTS piped, pipe_end; CREATE TABLE pipe_end(id int, v text); CREATE TABLE "
      "piped AS SELECT i AS id, repeat('x', i % 3000) AS v FROM generate_series(1, 20000) AS i");
  auto from = Connect();
  auto to = Connect();
  size_t told = 0;
  CopyOut out(from, "COPY public.piped TO STDOUT (FORMAT binary)");
  CopyIn in(to, "COPY public.pipe_end FROM STDIN (FORMAT binary)");
  CopyPipe(out, in, [&](size_t bytes) { told += bytes; }).Run();
  EXPECT_EQ(in.Finish(), 20'000U);
  EXPECT_EQ(out.rows(), 20'000U);
  EXPECT_GT(told, 20'000U * 1400);
  EXPECT_EQ(side_.Scalar("SELECT count(*) FROM ((TABLE piped EXCEPT ALL TABLE pipe_end) UNION ALL"
                         " (TABLE pipe_end EXCEPT ALL TABLE piped)) AS d"),
            "0");
}

TEST_F(PgClient, APipeIntoACopyThatFailsSaysWhyAtItsEnd) {
  side_.Exec(
      "DROP TABLE IF EXISTS narrow; CREATE TABLE narrow(id int CHECK (id < 10)); DROP TABLE IF "
      "EXISTS piped; CREATE TABLE piped AS SELECT i AS id FROM generate_series(1, 300000) AS i");
  auto from = Connect();
  auto to = Connect();
  CopyOut out(from, "COPY public.piped TO STDOUT");
  CopyIn in(to, "COPY public.narrow FROM STDIN");
  CopyPipe(out, in, [](size_t) {}).Run();
  EXPECT_THROW(in.Finish(), ServerError);
}

TEST_F(PgClient, APipeEndsWithEitherServerSession) {
  side_.Exec("DROP TABLE IF EXISTS pipe_end; CREATE TABLE pipe_end(v text)");
  for (const bool is_source : {true, false}) {
    auto from = Connect();
    auto to = Connect();
    CopyOut out(from, "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT");
    CopyIn in(to, "COPY public.pipe_end FROM STDIN");
    const std::string pid = std::to_string((is_source ? from : to).backend_pid());
    size_t told = 0;
    const auto run = [&] {
      CopyPipe(out, in, [&](size_t bytes) {
        told += bytes;
        if (told > 10'000'000 && told < 10'200'000) {
          side_.Exec("SELECT pg_terminate_backend(" + pid + ")");
        }
      }).Run();
    };
    EXPECT_THROW(run(), Error) << (is_source ? "source" : "target");
  }
}

TEST_F(PgClient, AnAbandonedCopyKeepsNothingAndTheSessionGoesOn) {
  side_.Exec("DROP TABLE IF EXISTS abandoned; CREATE TABLE abandoned(id int)");
  auto connection = Connect();
  {
    CopyIn in(connection, "COPY public.abandoned FROM STDIN");
    in.Write("1\n2\n");
  }
  EXPECT_EQ(connection.Exec("SELECT pg_catalog.count(*) FROM public.abandoned").Int(0, 0), 0);
}

TEST_F(PgClient, ARefusedCopyThrowsAtItsEndAndTheSessionGoesOn) {
  side_.Exec("DROP TABLE IF EXISTS refused; CREATE TABLE refused(id int)");
  auto connection = Connect();
  {
    CopyIn in(connection, "COPY public.refused FROM STDIN");
    std::string rows = "secret\n";
    for (int i = 0; i < 200'000; ++i) rows += "12345\n";
    in.Write(rows);
    try {
      in.Finish();
      ADD_FAILURE() << "it went through";
    } catch (const ServerError& error) {
      EXPECT_EQ(error.sqlstate(), "22P02");
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(connection.Exec("SELECT pg_catalog.count(*) FROM public.refused").Int(0, 0), 0);
}

TEST_F(PgClient, ACopyThatCannotBeginThrows) {
  auto connection = Connect();
  EXPECT_THROW(CopyIn(connection, "COPY public.nowhere FROM STDIN"), ServerError);
  EXPECT_THROW(CopyOut(connection, "SELECT 1"), ProtocolError);
  EXPECT_EQ(connection.Exec("SELECT 1").Int(0, 0), 1);
}

TEST_F(PgClient, AKilledBackendIsALostSessionThatIsTriedAgain) {
  auto connection = Connect();
  side_.Exec("SELECT pg_terminate_backend(" + std::to_string(connection.backend_pid()) +
             ", 10000)");
  try {
    connection.Exec("SELECT 1");
    ADD_FAILURE() << "it answered";
  } catch (const ServerError& error) {
    EXPECT_EQ(Judge(error.sqlstate()).verdict, Verdict::kRetry) << error.what();
  } catch (const ConnectionLost&) {
  }
  EXPECT_THROW(connection.Exec("SELECT 1"), ConnectionLost);
  EXPECT_TRUE(connection.is_broken());
}

TEST_F(PgClient, ACutConnectionIsLost) {
  tests::Gate gate(Server());
  Connection connection(ConnInfo::Parse(gate.ConnInfo()), {});
  EXPECT_EQ(connection.Exec("SELECT 1").Int(0, 0), 1);
  gate.CutNow();
  EXPECT_THROW(connection.Exec("SELECT 1"), ConnectionLost);
  EXPECT_TRUE(connection.is_broken());
}

TEST_F(PgClient, ACutInThePipelineIsLost) {
  tests::Gate gate(Server());
  Connection connection(ConnInfo::Parse(gate.ConnInfo()), {});
  Pipelined pipelined(connection);
  pipelined.SendSql("SELECT 1");
  pipelined.Finish();
  gate.CutAfterBytes(1000);
  const auto send_much = [&pipelined] {
    for (int i = 0; i < 100'000; ++i) pipelined.SendSql("SELECT 1");
    pipelined.Finish();
  };
  EXPECT_THROW(send_much(), ConnectionLost);
}

TEST_F(PgClient, AnUnreachableServerIsALostConnectionThatIsDescribedWithoutSecrets) {
  try {
    Connection(ConnInfo::Parse("host=127.0.0.1 port=1 dbname=d user=u password=secret"), {});
    ADD_FAILURE() << "somebody answers on port 1";
  } catch (const ConnectionLost& error) {
    EXPECT_NE(std::string(error.what()).find("host=127.0.0.1"), std::string::npos);
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
  }
}

TEST_F(PgClient, AMarkerTellsWhetherTwoSessionsMeetOneServer) {
  side_.Exec("DROP DATABASE IF EXISTS elsewhere");
  side_.Exec("CREATE DATABASE elsewhere");
  auto one = Connect();
  auto two = Connect();
  auto elsewhere = Connect({}, " dbname=elsewhere");
  EXPECT_EQ(CompareServers(one, two), SameServer::kSameDatabase);
  EXPECT_EQ(CompareServers(one, elsewhere), SameServer::kSameServer);
  tests::PgCluster other(17);
  other.Start();
  Connection stranger(ConnInfo::Parse(other.ConnInfo()), {});
  EXPECT_EQ(CompareServers(one, stranger), SameServer::kNo);
}

}  // namespace
}  // namespace pgteal::pg
