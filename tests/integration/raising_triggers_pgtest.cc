#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// Triggers and event triggers that green alone has, and that fire for pgteal's sessions.
class RaisingTriggers : public StreamTest {
 protected:
  void SetUp() override { ExecBoth("CREATE TABLE t (id int PRIMARY KEY)"); }

  void CreateTrigger(const std::string& event, const std::string& body) {
    green().Exec(
        "CREATE FUNCTION public.guard() RETURNS event_trigger LANGUAGE plpgsql AS $$"
        "BEGIN " +
        body + " END $$; CREATE EVENT TRIGGER guard ON " + event +
        " EXECUTE FUNCTION public.guard(); ALTER EVENT TRIGGER guard ENABLE ALWAYS");
  }
  // At logins of pgteal.
  void CreateLoginTrigger(const std::string& statement) {
    CreateTrigger("login", "IF current_setting('application_name') LIKE 'pgteal%' THEN " +
                               statement + "; END IF;");
  }
  void DropTrigger() { green().Exec("DROP EVENT TRIGGER guard"); }
  void ExpectGoesOn(int id) {
    blue().Exec("INSERT INTO t VALUES (" + std::to_string(id) + ")");
    ExpectCaughtUpAndEqual();
    EXPECT_TRUE(process().IsRunning());
  }
  void EndLanes() {
    green().Exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name"
        " = 'pgteal lane pgteal' AND datname = current_database()");
  }
};

// What blue has by then stays: the next start goes on with it.
TEST_F(RaisingTriggers, OneThatForbidsDdlIsNamedAndLeavesNothingOnGreen) {
  CreateTrigger("ddl_command_end", "RAISE 'ask the DBA first';");
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  ExpectLogNames({"PL/pgSQL function public.guard() line 1 at RAISE", "its log has the message"});
  EXPECT_EQ(green().Scalar("SELECT to_regnamespace('pgteal') IS NULL"), "t");
  green().Exec("ALTER EVENT TRIGGER guard DISABLE");
  ASSERT_NO_FATAL_FAILURE(Start());
  ExpectGoesOn(1);
  // Streaming needs no DDL.
  green().Exec("ALTER EVENT TRIGGER guard ENABLE ALWAYS");
  EndLanes();
  ExpectGoesOn(2);
}

// What it says is the application's, and may hold a row.
TEST_F(RaisingTriggers, OneOfATableIsNamedWithoutWhatItSays) {
  ASSERT_NO_FATAL_FAILURE(Start());
  green().Exec(
      "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
      "BEGIN RAISE 'bad number %', NEW.id; END $$;"
      "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION public.refuse();"
      "ALTER TABLE t ENABLE ALWAYS TRIGGER refuse");
  blue().Exec("INSERT INTO t VALUES (70717)");
  EXPECT_EQ(process().WaitExit(), 1);
  ExpectLogNames({"PL/pgSQL function public.refuse() line 1 at RAISE", "relation public.t"});
  ExpectNotLogged("70717");
  green().Exec("DROP TRIGGER refuse ON t");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
}

// Statements within a function have their values in the server's own messages, too.
TEST_F(RaisingTriggers, OneThatFailsIsNamedWithoutWhatTheServerSays) {
  ExecBoth("CREATE TABLE named (v text PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  green().Exec(
      "CREATE FUNCTION public.next_of(text) RETURNS bigint LANGUAGE sql"
      " AS 'SELECT 1; SELECT nextval($1)';"
      "CREATE FUNCTION public.act() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END $$;"
      "CREATE TRIGGER act BEFORE INSERT ON named FOR EACH ROW EXECUTE FUNCTION public.act();"
      "ALTER TABLE named ENABLE ALWAYS TRIGGER act");
  blue().Exec("INSERT INTO named VALUES ('SECRETVALUE')");
  struct Case {
    const char* body;
    const char* told;
  };
  const Case cases[] = {
      {"PERFORM nextval(NEW.v || '_seq')",
       "undefined table, raised by PL/pgSQL function public.act() line 1 at PERFORM"},
      {"PERFORM public.next_of(NEW.v)", "undefined table, raised by SQL function \"next_of\""},
      {"EXECUTE 'SELECT ' || NEW.v", "undefined column, raised by PL/pgSQL function public.act()"},
      {"EXECUTE NEW.v || ' 1'", "public.act() line 1 at EXECUTE (SQLSTATE 42601)"},
      {"PERFORM set_config(NEW.v, '', false)", "undefined object, raised by PL/pgSQL function"},
      {"INSERT INTO public.t VALUES (1), (1)",
       "unique violation, raised by PL/pgSQL function public.act() line 1 at SQL statement"},
      {"RAISE 'no' USING ERRCODE = '42501', TABLE = NEW.v, CONSTRAINT = NEW.v",
       "insufficient privilege, raised by PL/pgSQL function public.act() line 1 at RAISE"},
      // Of codes that are not PostgreSQL's nobody knows that they pass.
      {"RAISE USING ERRCODE = 'ZZ001', MESSAGE = NEW.v", "unknown condition, raised by"},
  };
  for (const auto& one : cases) {
    green().Exec("CREATE OR REPLACE FUNCTION public.act() RETURNS trigger LANGUAGE plpgsql AS $$" +
                 std::string("BEGIN ") + one.body + "; RETURN NEW; END $$");
    EXPECT_EQ(RunUntilCaughtUp(), 1) << one.body;
    ExpectLogNames({one.told, "A trigger or function of the server refuses it"});
    EXPECT_THAT(Log(), testing::Not(testing::ContainsRegex("[Ss][Ee][Cc][Rr][Ee][Tt]")));
  }
  green().Exec("DROP TRIGGER act ON named");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
}

TEST_F(RaisingTriggers, OneThatForbidsTheLoginIsToldAndOvercome) {
  ASSERT_NO_FATAL_FAILURE(Start());
  CreateLoginTrigger("RAISE 'closed for today'");
  EndLanes();
  ASSERT_TRUE(process().WaitForLog("closed for today")) << Log();
  DropTrigger();
  ExpectGoesOn(1);
}

TEST_F(RaisingTriggers, OneThatHoldsTheLoginUpIsTold) {
  CreateLoginTrigger("PERFORM pg_advisory_lock(1)");
  Sql holder(db_.GreenInfo());
  holder.Exec("SELECT pg_advisory_lock(1)");
  EXPECT_EQ(RunVia("", db_.GreenInfo() + " connect_timeout=2"), 1);
  ExpectLogNames({"cannot connect to ", "no answer in time"});
}

}  // namespace
}  // namespace pgteal::tests
