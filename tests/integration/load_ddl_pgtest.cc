#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

class LoadDdl : public PairTest {
 protected:
  bool IsWaiting(const Sql& session) {
    return WaitUntil(
        [&] {
          return blue().Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = " +
                               std::to_string(session.backend_pid())) == "1";
        },
        seconds(30));
  }
};

TEST_F(LoadDdl, RewritesTruncatesDropsAndNewTablesInTheMiddleLoseNothing) {
  ExecBoth(
      "CREATE TABLE first (id int PRIMARY KEY, t text);"
      "CREATE TABLE rewritten (id int PRIMARY KEY, n int);"
      "CREATE TABLE emptied (id int PRIMARY KEY);"
      "CREATE TABLE dropped (id int PRIMARY KEY);"
      "CREATE TABLE clustered (id int PRIMARY KEY)");
  blue().Exec(
      "INSERT INTO first SELECT g, repeat('x', 500) FROM generate_series(1, 3000) g;"
      "INSERT INTO rewritten SELECT g, g FROM generate_series(1, 100) g;"
      "INSERT INTO emptied SELECT generate_series(1, 100);"
      "INSERT INTO clustered SELECT generate_series(1, 100);"
      "INSERT INTO dropped SELECT generate_series(1, 100)");
  // The first table cannot be written yet: all others are copied later.
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE first IN ACCESS SHARE MODE");
  auto run = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ASSERT_TRUE(run->WaitForLog("green prepared"));
  const auto connect = [&] { return db_.clusters().blue().Connect(db_.name()); };
  Sql rewrite = connect();
  Sql truncate = connect();
  Sql drop = connect();
  Sql cluster = connect();
  rewrite.Send("ALTER TABLE rewritten ALTER n TYPE bigint; UPDATE rewritten SET n = n + 1");
  truncate.Send("TRUNCATE emptied; INSERT INTO emptied VALUES (7)");
  drop.Send("DROP TABLE dropped");
  cluster.Send("VACUUM FULL clustered");
  for (const Sql* session : {&rewrite, &truncate, &drop, &cluster}) {
    EXPECT_TRUE(IsWaiting(*session));
  }
  blue().Exec("CREATE TABLE made (id int PRIMARY KEY); INSERT INTO made VALUES (1)");
  ASSERT_TRUE(run->WaitForLog("waits to change or empty table"));
  holder.Exec("ROLLBACK");
  for (Sql* session : {&rewrite, &truncate, &drop, &cluster}) session->Finish();

  EXPECT_EQ(run->WaitExit(), 3);  // green lacks the new table
  EXPECT_NE(run->Log().find("table public.made is missing on green"), std::string::npos);
  green().Exec("CREATE TABLE made (id int PRIMARY KEY)");
  run = db_.Pgteal({"run", "--copy", "data"});
  blue().Exec("INSERT INTO made VALUES (2)");
  ExpectCaughtUpAndEqual();
}

TEST_F(LoadDdl, ARewriteBehindTheBackOfOurLocksIsNoticed) {
  ExecBoth(
      "CREATE TABLE first (id int PRIMARY KEY, t text); CREATE TABLE t (id int PRIMARY KEY, n "
      "int)");
  blue().Exec(
      "INSERT INTO first SELECT g, repeat('x', 500) FROM generate_series(1, 3000) g;"
      "INSERT INTO t SELECT g, g FROM generate_series(1, 100) g");
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE first IN ACCESS SHARE MODE");
  auto run = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ASSERT_TRUE(run->WaitForLog("green prepared"));
  blue().Exec(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
      " WHERE application_name = 'pgteal lock pgteal'");
  blue().Exec("ALTER TABLE t ALTER n TYPE bigint");
  holder.Exec("ROLLBACK");
  EXPECT_EQ(run->WaitExit(), 1);
  run = db_.Pgteal({"run", "--copy", "data", "--jobs", "1"});
  ASSERT_TRUE(run->WaitForLog("table public.t copied rows=100"));
  blue().Exec("UPDATE t SET n = n + 1");
  ExpectCaughtUpAndEqual();
}

TEST_F(LoadDdl, ShortTimeoutsOfOurRoleDoNotEndTheLoad) {
  ExecBoth("CREATE TABLE a (id int PRIMARY KEY)");
  blue().Exec("INSERT INTO a SELECT generate_series(1, 100)");
  const std::string role = "patient_" + db_.name();
  blue().Exec("CREATE ROLE " + role + " SUPERUSER LOGIN");
  for (const char* setting :
       {"idle_in_transaction_session_timeout", "statement_timeout", "idle_session_timeout"}) {
    blue().Exec("ALTER ROLE " + role + " SET " + setting + " = '1s'");
  }
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE");
  const auto run = db_.PgtealVia(db_.BlueInfo() + " user=" + role, "", {"run", "--copy", "data"});
  ASSERT_TRUE(run->WaitForLog("green prepared"));
  const auto has_waited = [&] {
    return blue().Scalar(
               "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgteal lock "
               "pgteal' AND clock_timestamp() - state_change > '2.5s'") == "t";
  };
  ASSERT_TRUE(WaitUntil(has_waited, seconds(30)));
  holder.Exec("ROLLBACK");
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  blue().Exec("DELETE FROM a WHERE id < 5");
  ExpectCaughtUpAndEqual();
}

}  // namespace
}  // namespace pgteal::tests
