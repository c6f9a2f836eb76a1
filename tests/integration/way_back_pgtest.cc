#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/fault/turn_test.h"
#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

// A publication of some tables, which has to be on both sides the same once the way back is armed.
class WayBack : public TurnTest {
 protected:
  void StartRun() {
    run_ = db_.Pgteal({"run", "--copy", "none", "--include-table", "ledger"});
    ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  }
  void AddTable(const std::string& name) {
    db_.blue().Exec("CREATE TABLE " + name + " (id int PRIMARY KEY)");
    Sql(db_.GreenWriter()).Exec("CREATE TABLE " + name + " (id int PRIMARY KEY)");
    db_.blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY " + name);
  }
  // A hook that runs these on blue and green after a step.
  static std::string Hook(const std::string& phase, const std::string& on_blue,
                          const std::string& on_green) {
    const std::string psql = ClientProgram("psql").string() + " -Xqd ";
    return "test \"$PGTEAL_PHASE\" != '" + phase + "' || { " + psql + "\"$PGTEAL_SOURCE\" -c '" +
           on_blue + "' && PGOPTIONS='-c default_transaction_read_only=off' " + psql +
           "\"$PGTEAL_TARGET\" -c '" + on_green + "'; }";
  }
  std::string Count(Sql& side, const std::string& table) {
    return side.Scalar("SELECT count(*) FROM " + table);
  }
  // What is written on green between two turns is on blue after the second.
  void ExpectNothingLostOnTheWayBack(const std::string& table) {
    ASSERT_EQ(Turn(), 0) << Log();
    ASSERT_TRUE(IsGreenOpen());
    db_.green().Exec("INSERT INTO " + table + " VALUES (101), (102)");
    const std::string count = Count(db_.green(), table);
    ASSERT_EQ(Turn(), 0) << Log();
    EXPECT_EQ(Count(db_.blue(), table), count);
  }
  // Blue was once the target of a deployment whose copy of the table ended at a position that
  // blue's and green's own logs are far from.
  void ExpectNothingLostAfterACopyOf(const std::string& deployment) {
    ASSERT_NO_FATAL_FAILURE(StartRun());
    AddTable("later");
    ASSERT_EQ(Turn(), 0) << Log();
    ASSERT_EQ(Turn(), 0) << Log();
    db_.blue().Exec(
        "INSERT INTO pgteal.table_state (deployment, schema_name, table_name, phase, ready_lsn)"
        " VALUES ('" +
        deployment + "', 'public', 'later', 'ready', 'FFFF/0')");
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLostOnTheWayBack("later"));
  }
  // Green holds every text of blue's then, and blue not every one of green's.
  void MakeBlueLatin() {
    db_.green().Exec("DROP TABLE ledger");
    auto& admin = db_.clusters().blue().admin();
    admin.Exec("DROP DATABASE " + db_.name() + " WITH (FORCE)");
    admin.Exec("CREATE DATABASE " + db_.name() +
               " ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    Ledger::CreateTable(db_, kRole);
  }
  std::string Publication(Sql& side) {
    return side.Scalar(
        "SELECT concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate,"
        " pubviaroot, (SELECT string_agg(tablename, ',' ORDER BY 1) FROM pg_publication_tables"
        " WHERE pubname = 'pgteal' AND schemaname <> 'pgteal')) FROM pg_publication");
  }
};

TEST_F(WayBack, APublicationThatGreenHasAlreadyGetsTheTablesThatBluesGot) {
  db_.green().Exec("CREATE PUBLICATION pgteal FOR TABLE ledger");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  AddTable("\"Later\"");
  ASSERT_NO_FATAL_FAILURE(ExpectNothingLostOnTheWayBack("\"Later\""));
}

TEST_F(WayBack, TheNextTurnDoesNotTakeThePublicationOfTheLastAsItWas) {
  ASSERT_NO_FATAL_FAILURE(StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  ASSERT_EQ(Turn(), 0) << Log();
  AddTable("later");
  ASSERT_NO_FATAL_FAILURE(ExpectNothingLostOnTheWayBack("later"));
  EXPECT_EQ(Publication(db_.green()), Publication(db_.blue()));
}

// Its publication was made at the beginning of that step.
TEST_F(WayBack, ATableThatIsPublishedWhileASwitchoverIsPreparedIsInTheWayBack) {
  ASSERT_NO_FATAL_FAILURE(StartRun());
  const std::string table = "CREATE TABLE later (id int PRIMARY KEY)";
  const std::string publish = "; ALTER PUBLICATION pgteal ADD TABLE later";
  ASSERT_EQ(Turn({"--hook", Hook("prepare", table + publish, table)}), 0) << Log();
  db_.green().Exec("INSERT INTO later VALUES (1)");
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(Count(db_.blue(), "later"), "1");
}

TEST_F(WayBack, ATableThatIsPublishedRightBeforeTheFenceUndoesTheSwitchover) {
  ASSERT_NO_FATAL_FAILURE(StartRun());
  const std::string table = "CREATE TABLE later (id int PRIMARY KEY)";
  const std::string publish = "; ALTER PUBLICATION pgteal ADD TABLE later";
  const std::string hook = Hook("catch up", table + publish, table);
  ASSERT_EQ(Turn({"--hook", hook}), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("ADD TABLE ONLY \"public\".\"later\" is still to be done"));
  ExpectOneSideOpen();
  EXPECT_FALSE(IsGreenOpen());
}

// Blue has what is written from the switchover on, and nothing of what was there before.
TEST_F(WayBack, ATableOfGreenAloneHasToBeReloadedOnceBlueHasIt) {
  const std::string table = "CREATE TABLE alone (id int PRIMARY KEY)";
  db_.green().Exec(table + "; INSERT INTO alone VALUES (1), (2)");
  ASSERT_NO_FATAL_FAILURE(TurnTest::StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  Sql blue(db_.BlueInfo());
  blue.Exec("SET default_transaction_read_only = off");
  blue.Exec(table);
  db_.green().Exec("INSERT INTO alone VALUES (3)");
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("--reload-table public.alone"));
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  run_ = db_.Pgteal({"run", "--copy", "none", "--reload-table", "alone"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(Count(db_.blue(), "alone"), "3");
}

TEST_F(WayBack, ATableThatWasNotCompleteOnGreenIsNotSoAfterThereAndBack) {
  ASSERT_NO_FATAL_FAILURE(StartRun());
  db_.blue().Exec("CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)");
  Sql(db_.GreenWriter()).Exec("CREATE TABLE later (id int PRIMARY KEY)");
  db_.blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY later");
  ASSERT_EQ(Turn({"--skip-check", "H9"}), 0) << Log();
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("--reload-table public.later"));
}

TEST_F(WayBack, ARunThatBeganAtAnLsnSurvivesThereAndBack) {
  ASSERT_EQ(Pgteal({"prepare"}), 0) << Log();
  run_ = db_.Pgteal({"run", "--copy", "none", "--start-lsn",
                     db_.blue().Scalar("SELECT pg_current_wal_lsn()")});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  ASSERT_EQ(Turn(), 0) << Log();
  ASSERT_EQ(Turn(), 0) << Log();
  db_.blue().Exec("INSERT INTO ledger VALUES (7, 7, 'back')");
  EXPECT_TRUE(db_.WaitCaughtUp()) << run_->Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(WayBack, ATableThatGreenPublishesLaterIsReloadedToBlueOnce) {
  ASSERT_NO_FATAL_FAILURE(MakeBlueLatin());
  ASSERT_NO_FATAL_FAILURE(StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  const std::string table = "CREATE TABLE later (id int PRIMARY KEY)";
  Sql blue(db_.BlueInfo());
  blue.Exec("SET default_transaction_read_only = off");
  blue.Exec(table);
  db_.green().Exec(table + "; INSERT INTO later VALUES (1)");
  db_.green().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY later");
  run_ = db_.Pgteal({"run", "--copy", "none", "--reload-table", "later"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  EXPECT_EQ(Count(db_.blue(), "later"), "1");
  db_.green().Exec("INSERT INTO later VALUES (2)");
  ASSERT_EQ(Turn({"--skip-check", "A6"}), 0) << Log();
  EXPECT_EQ(Count(db_.blue(), "later"), "2");
  db_.blue().Exec("INSERT INTO later VALUES (3)");
  EXPECT_TRUE(db_.WaitCaughtUp()) << run_->Log();
  EXPECT_TRUE(db_.Equal());
  const std::string copied = "table public.later copied";
  EXPECT_EQ(run_->Log().find(copied), run_->Log().rfind(copied)) << run_->Log();
}

TEST_F(WayBack, PositionsThatAnotherDeploymentLeftOnBlueKeepNothingFromIt) {
  ExpectNothingLostAfterACopyOf("m1");
}

TEST_F(WayBack, PositionsThatThisDeploymentsNameLeftOnBlueKeepNothingFromIt) {
  ExpectNothingLostAfterACopyOf("pgteal");
}

TEST_F(WayBack, APublicationThatGreenHasAlreadySendsWhatBluesSends) {
  db_.ExecBoth("CREATE TABLE other (id int PRIMARY KEY)");
  db_.green().Exec(
      "CREATE PUBLICATION pgteal FOR TABLE ledger, other WITH (publish = 'insert',"
      " publish_via_partition_root = true)");
  if (db_.clusters().green().major() >= 15) {
    db_.green().Exec("ALTER PUBLICATION pgteal SET TABLE ledger WHERE (client > 100), other");
  }
  ASSERT_NO_FATAL_FAILURE(StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(Publication(db_.green()), Publication(db_.blue()));
  db_.green().Exec("INSERT INTO ledger VALUES (7, 1, 'x'), (7, 2, 'x')");
  db_.green().Exec("DELETE FROM ledger WHERE number = 2");
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

// DROP TABLE takes a table's heirs with it as ADD TABLE does, unless it says ONLY.
TEST_F(WayBack, AParentThatIsTakenOutLeavesItsHeirsIn) {
  db_.ExecBoth(
      "CREATE TABLE parent (id int PRIMARY KEY);"
      "CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent)");
  db_.green().Exec("CREATE PUBLICATION pgteal FOR TABLE ONLY parent, child");
  run_ = db_.Pgteal(
      {"run", "--copy", "none", "--include-table", "ledger", "--include-table", "child"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  ASSERT_NO_FATAL_FAILURE(ExpectNothingLostOnTheWayBack("child"));
}

TEST_F(WayBack, APublicationOfSomeTablesBecomesOneOfAllAndTheOtherWayRound) {
  db_.ExecBoth("CREATE TABLE other (id int PRIMARY KEY)");
  db_.green().Exec("CREATE PUBLICATION pgteal FOR TABLE ledger");
  ASSERT_NO_FATAL_FAILURE(TurnTest::StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(Publication(db_.green()), Publication(db_.blue()));
  EXPECT_THAT(Publication(db_.green()), testing::StartsWith("t "));
  ASSERT_EQ(Turn(), 0) << Log();
  db_.blue().Exec("DROP PUBLICATION pgteal; CREATE PUBLICATION pgteal FOR TABLE ledger");
  ASSERT_EQ(Turn({"--skip-check", "D20", "--skip-check", "H9"}), 0) << Log();
  EXPECT_EQ(Publication(db_.green()), Publication(db_.blue()));
  EXPECT_THAT(Publication(db_.green()), testing::StartsWith("f "));
}

TEST_F(WayBack, TablesOfASchemaAreThoseOfTheSchemaOnGreenToo) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  db_.blue().Exec("CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public");
  db_.green().Exec("CREATE PUBLICATION pgteal FOR TABLE ledger");
  ASSERT_NO_FATAL_FAILURE(TurnTest::StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT pnnspid::regnamespace FROM pg_publication_namespace"),
            "public");
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM pg_publication_rel"), "0");
}

// A role that may not says so before anything is closed, with what a superuser has to execute.
TEST_F(WayBack, APublicationThatOurRoleMayNotChangeIsInTheWay) {
  db_.green().Exec("CREATE PUBLICATION pgteal FOR TABLE ledger");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  AddTable("later");
  Sql(db_.GreenWriter()).Exec("CREATE ROLE modest LOGIN; GRANT pg_read_all_data TO modest");
  const auto ask = [this] {
    return ReadCheck(*db_.PgtealVia("", db_.GreenInfo() + " user=modest",
                                    {"check", "--json", "--phase", "switchover", "--only", "H16"}));
  };
  const auto refused = ask();
  EXPECT_EQ(refused.Outcomes("H16"), "FAIL");
  const std::string fix = "ALTER PUBLICATION \"pgteal\" ADD TABLE ONLY \"public\".\"later\";";
  EXPECT_THAT(refused.Findings("H16"), HasSubstr(fix));
  Sql(db_.GreenWriter()).Exec(fix);
  EXPECT_EQ(ask().Outcomes("H16"), "PASS");
  Sql(db_.GreenWriter()).Exec("DROP OWNED BY modest; DROP ROLE modest");
}

TEST_F(WayBack, ATableThatTheOtherSideLacksIsNamedBeforeTheFence) {
  ASSERT_NO_FATAL_FAILURE(StartRun());
  db_.blue().Exec("CREATE TABLE gone (id int PRIMARY KEY)");
  db_.blue().Exec("ALTER PUBLICATION pgteal ADD TABLE gone");
  for (const auto& args : {Args{"--dry-run"}, Args{}}) {
    EXPECT_EQ(Turn(args), 3) << Log();
    EXPECT_THAT(Log(), HasSubstr("H16 "));
    EXPECT_THAT(Log(), testing::Not(HasSubstr("step=fence")));
  }
}

// They would be published like any other, and their own UPDATE and DELETE fail.
TEST_F(WayBack, TablesOfGreenAloneThatLackAnIdentityAreNamedBeforeTheFence) {
  db_.green().Exec("CREATE TABLE ops (v int); CREATE UNLOGGED TABLE scratch (v int)");
  ASSERT_NO_FATAL_FAILURE(TurnTest::StartRun());
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("H16 "));
  EXPECT_THAT(Log(), HasSubstr("ALTER TABLE \"public\".\"ops\" REPLICA IDENTITY FULL;"));
  EXPECT_THAT(Log(), testing::Not(HasSubstr("scratch")));
  Sql(db_.GreenWriter()).Exec("ALTER TABLE ops REPLICA IDENTITY FULL");
  ASSERT_EQ(Turn(), 0) << Log();
  db_.green().Exec("UPDATE ops SET v = 2; DELETE FROM ops");
}

TEST_F(WayBack, PartitionsOfGreenAloneThatLackAnIdentityAreNamedBeforeTheFence) {
  db_.blue().Exec(
      "CREATE TABLE parts (id int, v int) PARTITION BY RANGE (id);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
      "ALTER TABLE part_1 REPLICA IDENTITY FULL");
  db_.green().Exec(
      "CREATE TABLE parts (id int, v int) PARTITION BY RANGE (id);"
      "CREATE TABLE other_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)");
  db_.blue().Exec(
      "CREATE PUBLICATION pgteal FOR TABLE ledger, parts WITH (publish_via_partition_root = true)");
  run_ = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  const auto ask = [this] { return RunCheck(db_, {"--phase", "switchover", "--only", "H16"}); };
  EXPECT_THAT(ask().Findings("H16"),
              HasSubstr("ALTER TABLE \"public\".\"other_1\" REPLICA IDENTITY FULL;"));
  Sql(db_.GreenWriter()).Exec("ALTER TABLE other_1 REPLICA IDENTITY FULL");
  EXPECT_EQ(ask().Outcomes("H16"), "PASS");
}

}  // namespace
}  // namespace pgteal::tests
