#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"
#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

class DdlGuard : public StreamTest {
 protected:
  DdlGuard() : StreamTest({14, 18}) {
    ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v text)");
    blue().Exec("INSERT INTO t VALUES (1, 'x')");
    green().Exec("INSERT INTO t VALUES (1, 'x')");
  }
  std::string State() { return green().Scalar("SELECT state FROM pgteal.deployment"); }
  std::string Events(const std::string& kind) {
    return green().Scalar(
        "SELECT coalesce(string_agg(detail, ' | ' ORDER BY id), '')"
        " FROM pgteal.event WHERE kind = '" +
        kind + "'");
  }
  [[nodiscard]] bool WaitState(const std::string& state) {
    return WaitUntil([&] { return State() == state; }, std::chrono::seconds(60));
  }
  // The stream announces the table anew, which is when the guard looks.
  void Touch() { blue().Exec("UPDATE t SET v = v || '.'"); }
};

TEST_F(DdlGuard, AChangeOfBlueDegradesUntilGreenHasItToo) {
  Start();
  ASSERT_TRUE(WaitUntil(
      [&] {
        return green().Scalar(
                   "SELECT count(*) FROM pgteal.schema_baseline WHERE kind = 'recorded'") == "1";
      },
      std::chrono::seconds(30)));
  EXPECT_EQ(State(), "streaming");
  blue().Exec(
      "CREATE INDEX t_v ON t (v); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS "
      "'SELECT 1'");
  ASSERT_TRUE(WaitState("degraded")) << Log();
  EXPECT_THAT(Events("ddl"), HasSubstr("index public.t_v is missing on green"));
  EXPECT_THAT(Events("ddl"), HasSubstr("function public.f() is missing on green"));
  const auto refused = RunCheck(db_, {"--phase", "switchover", "--only", "H9,D19"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.Findings("H9"), HasSubstr("index public.t_v is missing on green"));
  // What it says can be pasted.
  EXPECT_THAT(refused.Findings("D19"), HasSubstr("CREATE INDEX t_v ON public.t USING btree (v);"));
  green().Exec(
      "CREATE INDEX t_v ON t (v); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS "
      "'SELECT 1'; ALTER TABLE t ADD more int");
  ASSERT_TRUE(WaitState("streaming")) << Log();
  EXPECT_EQ(Events("ddl_settled"), "green has the changes of blue's schema");
  EXPECT_EQ(RunCheck(db_, {"--phase", "switchover", "--only", "H9,D19"}).exit_code, 0);
  Touch();
  ExpectCaughtUpAndEqual();
  StopCleanly();
}

TEST_F(DdlGuard, WhatACheckSaysTakesEffectInASessionOnGreen) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("CREATE INDEX t_v ON t (v)");
  const auto check = RunCheck(db_, {"--phase", "switchover", "--only", "H9,D19"});
  const std::string fix = "CREATE INDEX t_v ON public.t USING btree (v);";
  EXPECT_THAT(check.Findings("D19"), HasSubstr(fix));
  Sql session(db_.GreenInfo());
  EXPECT_EQ(session.Failure(fix), "25006");
  for (const char* id : {"H9", "D19"}) {
    const std::string advice = check.Advice(id);
    const size_t sql = advice.find("SET ");
    ASSERT_NE(sql, std::string::npos) << id << ": " << advice;
    EXPECT_EQ(session.Failure(advice.substr(sql)), "");
  }
  EXPECT_EQ(session.Failure(fix), "");
  EXPECT_EQ(RunCheck(db_, {"--phase", "switchover", "--only", "H9,D19"}).exit_code, 0);
}

// Whatever it is that green waits for: a lock stands for it.
TEST_F(DdlGuard, ARunThatFailsEndsThoughItsLastLookGetsNoAnswer) {
  const auto run = Launch();
  ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  ASSERT_TRUE(WaitUntil(
      [&] { return green().Scalar("SELECT count(*) FROM pgteal.schema_baseline") != "0"; },
      std::chrono::seconds(30)));
  Sql blocker(db_.GreenInfo());
  blocker.Exec("SET default_transaction_read_only = off");
  blocker.Exec("ALTER TABLE t ADD CONSTRAINT no CHECK (v = 'x')");
  blocker.Exec("BEGIN; LOCK TABLE pgteal.schema_baseline");
  Touch();
  EXPECT_EQ(run->WaitExit(std::chrono::seconds(20)), 1) << run->Log();
}

// Ten seconds lie between two looks that nothing asked for.
TEST_F(DdlGuard, ARunThatEndsAtOnceTellsOfAChangeToo) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  ASSERT_NO_FATAL_FAILURE(Apply({}));
  blue().Exec("CREATE INDEX t_v ON t (v)");
  ASSERT_NO_FATAL_FAILURE(Apply({}));
  EXPECT_EQ(State(), "degraded");
  EXPECT_THAT(Events("ddl"), HasSubstr("index public.t_v is missing on green"));
}

TEST_F(DdlGuard, ATableThatTheStreamAnnouncesAnewIsLookedAtAtOnce) {
  Start();
  const auto looked_at = [this](const std::string& index) {
    blue().Exec("CREATE INDEX " + index + " ON t (v)");
    Touch();
    const std::string at =
        "SELECT max(extract(epoch FROM at)) FROM pgteal.event WHERE kind = 'ddl'"
        " AND detail LIKE '%." +
        index + " is missing%' HAVING count(*) > 0";
    EXPECT_TRUE(WaitUntil([&] { return !green().Query(at).empty(); }, std::chrono::seconds(60)));
    return std::stod(green().Scalar(at));
  };
  // A busy machine may let one of them last.
  double last = looked_at("t0");
  double between = 10;
  for (int i = 1; i < 4 && between >= 10; ++i) {
    const double at = looked_at("t" + std::to_string(i));
    between = at - last;
    last = at;
  }
  EXPECT_LT(between, 10);
  StopCleanly();
}

TEST_F(DdlGuard, WithoutTheRightToEventTriggersTheCatalogIsCompared) {
  blue().Exec(
      "CREATE ROLE modest LOGIN REPLICATION; GRANT modest TO postgres; ALTER TABLE t OWNER TO "
      "modest; GRANT CREATE ON DATABASE " +
      db_.name() + " TO modest");
  auto run = db_.PgtealVia(
      db_.BlueInfo() + " user=modest", "",
      {"run", "--copy", "none", "--include-table", "t", "--ddl-guard", "event-trigger"});
  ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  EXPECT_THAT(run->Log(),
              HasSubstr("may not create event triggers on blue: its catalog is compared"));
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_event_trigger"), "0");
  blue().Exec("CREATE INDEX t_v ON t (v)");
  Touch();
  EXPECT_TRUE(WaitState("degraded")) << run->Log();
  EXPECT_THAT(Events("ddl"), HasSubstr("index public.t_v is missing on green"));
  run->Terminate();
  EXPECT_EQ(run->WaitExit(), 130);
  auto cleanup = db_.Pgteal({"cleanup"});
  EXPECT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  blue().Exec("REASSIGN OWNED BY modest TO postgres; DROP OWNED BY modest; DROP ROLE modest");
}

TEST_F(DdlGuard, AColumnThatStopsTheStreamIsNamedAndTheSameCommandGoesOn) {
  Start();
  blue().Exec("ALTER TABLE t ADD c int DEFAULT 7");
  blue().Exec("INSERT INTO t VALUES (2, 'y', 8)");
  EXPECT_NE(process().WaitExit().value_or(0), 0);
  EXPECT_EQ(State(), "degraded") << Log();
  EXPECT_THAT(Events("ddl"), HasSubstr("column public.t.c is missing on green"));
  green().Exec("ALTER TABLE t ADD c int DEFAULT 7");
  Start();
  ASSERT_TRUE(WaitState("streaming")) << Log();
  ExpectCaughtUpAndEqual();
  StopCleanly();
}

TEST_F(DdlGuard, WhatDifferedFromTheStartIsNoChange) {
  blue().Exec("CREATE INDEX only_on_blue ON t (v)");
  Start();
  blue().Exec("CREATE INDEX second ON t (v)");
  ASSERT_TRUE(WaitState("degraded")) << Log();
  EXPECT_THAT(Events("ddl"), testing::Not(HasSubstr("only_on_blue")));
  // Nor after a restart.
  StopCleanly();
  green().Exec("CREATE INDEX second ON t (v)");
  Start();
  ASSERT_TRUE(WaitState("streaming")) << Log();
  StopCleanly();
}

// Rows that were written before a table was added are in no stream.
TEST_F(DdlGuard, ATableThatIsAddedWithRowsHasToBeReloaded) {
  ASSERT_EQ(RunUntilCaughtUp({"--include-table", "t"}), 0) << Log();
  Start();
  ExecBoth("CREATE TABLE \"Later\" (id int PRIMARY KEY)");
  blue().Exec("INSERT INTO \"Later\" VALUES (1)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE \"Later\"");
  blue().Exec("INSERT INTO \"Later\" VALUES (2)");
  ASSERT_TRUE(WaitState("degraded")) << Log();
  ASSERT_TRUE(WaitUntil(
      [&] { return Events("ddl").find("--reload-table public.Later") != std::string::npos; },
      std::chrono::seconds(30)))
      << Log();
  StopCleanly();
  // Known at the next start as well, and until it is done.
  ASSERT_EQ(RunUntilCaughtUp(), 0) << Log();
  EXPECT_TRUE(WaitState("degraded"));
  const auto reload =
      db_.Pgteal({"run", "--copy", "data", "--reload-table", "public.Later", "--until-caught-up"});
  ASSERT_EQ(reload->WaitExit(std::chrono::seconds(60)), 0) << reload->Log();
  ASSERT_TRUE(WaitState("streaming")) << reload->Log();
  EXPECT_TRUE(db_.Equal());
}

// The same for a table that left the publication for a while.
TEST_F(DdlGuard, ATableThatComesBackHasToBeReloaded) {
  ASSERT_EQ(RunUntilCaughtUp({"--include-table", "t"}), 0) << Log();
  Start();
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE t");
  ASSERT_TRUE(WaitState("degraded")) << Log();
  blue().Exec("INSERT INTO t (id) VALUES (100)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE t");
  ASSERT_TRUE(
      WaitUntil([&] { return Events("ddl").find("--reload-table public.t") != std::string::npos; },
                std::chrono::seconds(30)))
      << Log();
  StopCleanly();
}

TEST_F(DdlGuard, ANewTableThatThePublicationDoesNotSendIsAChange) {
  ASSERT_EQ(RunUntilCaughtUp({"--include-table", "t"}), 0) << Log();
  Start();
  ExecBoth("CREATE TABLE later (id int PRIMARY KEY)");
  ASSERT_TRUE(WaitState("degraded")) << Log();
  EXPECT_THAT(Events("ddl"), HasSubstr("public.later is not in the publication"));
  EXPECT_THAT(RunCheck(db_, {"--phase", "switchover", "--only", "D20"}).Findings("D20"),
              HasSubstr("ADD TABLE ONLY public.later;"));
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE later");
  ASSERT_TRUE(WaitState("streaming")) << Log();
  StopCleanly();
}

TEST_F(DdlGuard, StatementsAreLoggedOnBlueAndTheLogIsNotReplicated) {
  Start({"--ddl-guard", "event-trigger"});
  ASSERT_EQ(blue().Scalar("SELECT puballtables FROM pg_publication"), "t");
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_publication_tables WHERE schemaname = 'pgteal'"),
            "0");
  blue().Exec("ALTER TABLE t ADD c int; CREATE TEMP TABLE scratch (a int); DROP TABLE scratch");
  blue().Exec("CREATE INDEX gone ON t (v); DROP INDEX gone");
  ASSERT_TRUE(WaitState("degraded")) << Log();
  ASSERT_TRUE(
      WaitUntil([&] { return Events("ddl_statement").find("DROP INDEX") != std::string::npos; },
                std::chrono::seconds(60)));
  EXPECT_THAT(Events("ddl_statement"), HasSubstr("ALTER TABLE public.t by role postgres"));
  EXPECT_THAT(Events("ddl_statement"), testing::Not(HasSubstr("scratch")));
  EXPECT_THAT(blue().Scalar("SELECT statement FROM pgteal.ddl_log ORDER BY id LIMIT 1"),
              HasSubstr("ADD c int"));
  green().Exec("ALTER TABLE t ADD c int");
  Touch();
  ASSERT_TRUE(WaitState("streaming")) << Log();
  ExpectCaughtUpAndEqual();
  StopCleanly();
  auto cleanup = db_.Pgteal({"cleanup"});
  ASSERT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  EXPECT_THAT(cleanup->Stdout(), HasSubstr("removed event triggers on blue"));
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_event_trigger"), "0");
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgteal'"), "0");
}

TEST_F(DdlGuard, ALogThatCannotBeWrittenDoesNotHinderDdlOnBlue) {
  Start({"--ddl-guard", "event-trigger"});
  blue().Exec("ALTER TABLE pgteal.ddl_log ADD broken int NOT NULL");
  blue().Exec("CREATE TABLE fine (id int PRIMARY KEY); DROP TABLE fine");
  StopCleanly();
}

TEST_F(DdlGuard, SwitchedOffItLooksAtNothing) {
  Start({"--ddl-guard", "off"});
  blue().Exec("CREATE INDEX t_v ON t (v)");
  Touch();
  ExpectCaughtUpAndEqual();
  EXPECT_EQ(State(), "streaming");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.schema_baseline WHERE kind = 'recorded'"),
            "0");
  StopCleanly();
  // Nor is that taken for an answer.
  EXPECT_EQ(RunCheck(db_, {"--phase", "switchover", "--only", "H9"}).Outcomes("H9"), "SKIPPED");
}

}  // namespace
}  // namespace pgteal::tests
