#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fault/turn_test.h"
#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// What a switchover is refused for.
class GuardrailTest : public SwitchoverTest {
 protected:
  void ExpectRefused(const std::string& word) {
    EXPECT_EQ(Turn(), 3) << Log();
    EXPECT_THAT(Log(), testing::HasSubstr(word));
    EXPECT_TRUE(IsBlueOpen());
    EXPECT_FALSE(IsGreenOpen());
  }
};

TEST_F(GuardrailTest, GuardrailsNameWhatIsWrong) {
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  ExpectRefused("nobody streams from slot pgteal");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  {
    Sql writer(db_.GreenInfo());
    writer.Exec("SET default_transaction_read_only = off");
    writer.Exec("BEGIN; INSERT INTO ledger VALUES (6, 6, '')");
    ExpectRefused("somebody writes on the side that is to be opened");
  }
  EXPECT_EQ(Pgteal({"rollback"}), 3);
  EXPECT_THAT(Log(), testing::HasSubstr("blue takes the writes already"));
}

TEST_F(GuardrailTest, WhatNeverBeganIsRefusedAndNotUndone) {
  using Json = nlohmann::json;
  const auto report = [this](const std::string& verb) {
    EXPECT_EQ(Pgteal({verb, "--json"}), 3) << Log();
    return Json::parse(tool_->Stdout());
  };
  const Json early = report("rollback");
  EXPECT_EQ(early["result"], "refused");
  EXPECT_EQ(early["reasons"][0]["what"], "blue takes the writes already");
  db_.blue().Exec("CREATE TABLE one (a int PRIMARY KEY); CREATE TABLE two (a int PRIMARY KEY)");
  for (const auto& verdict : {report("switchover"), [this] {
                                EXPECT_EQ(Turn({"--dry-run", "--json"}), 3);
                                return Json::parse(tool_->Stdout());
                              }()}) {
    EXPECT_EQ(verdict["result"], "refused");
    EXPECT_GE(verdict["reasons"].size(), 2U);
    EXPECT_THAT(verdict["reasons"].dump(), testing::HasSubstr("public.one is missing on green"));
  }
  EXPECT_EQ(Turn(), 3);
  EXPECT_THAT(tool_->Stdout(), testing::StartsWith("switchover: refused\nreason: "));
  db_.green().Exec("CREATE TABLE one (a int PRIMARY KEY); CREATE TABLE two (a int PRIMARY KEY)");
  ASSERT_EQ(Turn(), 0) << Log();
  const Json late = report("switchover");
  EXPECT_EQ(late["result"], "refused");
  EXPECT_EQ(late["reasons"][0]["what"], "green takes the writes already");
}

TEST_F(GuardrailTest, RecordedConflictsAreInTheWayUntilTheyHaveBeenDealtWith) {
  db_.green().Exec(
      "BEGIN READ WRITE; INSERT INTO pgteal.conflict (slot, end_lsn, xid, relation, operation,"
      " reason, resolution) SELECT s, '0/1', 7, 'public.ledger', 'insert', '23505', 'skipped'"
      " FROM unnest('{pgteal,another}'::text[]) AS s; COMMIT");
  ExpectRefused("H14 every change of blue was applied as it was: public.ledger: 1 inserts skipped");
  EXPECT_THAT(Log(), testing::HasSubstr("pgteal verify --repair"));
  EXPECT_EQ(Turn({"--dry-run", "--skip-check", "H14"}), 0) << Log();
  const auto check = RunCheck(db_, {"--phase", "switchover", "--only", "H14"});
  EXPECT_EQ(check.Outcomes("H14"), "FAIL");
  db_.green().Exec(check.report["checks"][0]["findings"][0]["fix"].get<std::string>());
  EXPECT_EQ(db_.green().Scalar("SELECT string_agg(slot, ' ') FROM pgteal.conflict"), "another");
  EXPECT_EQ(Turn(), 0) << Log();
}

TEST_F(GuardrailTest, AChangeOfBluesSchemaThatGreenLacksIsInTheWayUntilGreenHasIt) {
  const std::string change = "ALTER TABLE ledger ADD COLUMN extra int";
  db_.blue().Exec(change);
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("column public.ledger.extra is missing on green"));
  // The same once the running stream has noticed it.
  ASSERT_TRUE(run_->WaitForLog("blue's schema has changed"));
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("H9 "));
  EXPECT_THAT(Log(), testing::HasSubstr("column public.ledger.extra is missing on green"));
  // Not asked by a write: a row of blue's new shape would end the stream.
  EXPECT_EQ(Sql(db_.BlueInfo() + " user=shop").Scalar("SHOW default_transaction_read_only"), "off");
  db_.green().Exec(change);
  EXPECT_EQ(Turn(), 0) << Log();
}

TEST_F(GuardrailTest, ARoleWithoutTheRightToCloseOthersIsRefusedUnlessTheyAreLeftAlone) {
  db_.blue().Exec("CREATE ROLE modest LOGIN REPLICATION; GRANT ALL ON ledger TO modest");
  tool_ = db_.PgtealVia(db_.BlueInfo() + " user=modest", "", {"switchover"});
  EXPECT_EQ(tool_->WaitExit(), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("our role may not close these roles"));
  EXPECT_THAT(Log(), testing::HasSubstr("shop"));
  db_.blue().Exec("DROP OWNED BY modest; DROP ROLE modest");
}

// Whose tables on green then are open to everybody.
TEST_F(TurnTest, AnotherDeploymentThatNeedsAReadOnlyGreenIsNamed) {
  db_.ExecBoth("CREATE TABLE other (id int PRIMARY KEY)");
  run_ = db_.Pgteal({"run", "--copy", "none", "--include-table", "ledger"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  const std::string warning = "deployment second streams into ";
  EXPECT_EQ(Turn({"--dry-run"}), 0) << Log();
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr(warning)));
  ASSERT_EQ(Pgteal({"run", "--copy", "none", "--until-caught-up", "--name", "second",
                    "--include-table", "other"}),
            0)
      << Log();
  // As of two blues.
  ASSERT_EQ(Turn({"--json", "--skip-check", "F6"}), 0) << Log();
  EXPECT_THAT(nlohmann::json::parse(tool_->Stdout())["warnings"].dump(),
              testing::HasSubstr(warning));
}

// A name may begin with ours.
TEST_F(TurnTest, OtherDeploymentsOfBlueAreInTheWayAndNobodyIsToldToDropTheirSlots) {
  db_.ExecBoth("CREATE TABLE eu (id int PRIMARY KEY); CREATE TABLE rest (id int PRIMARY KEY)");
  run_ = db_.Pgteal({"run", "--copy", "none", "--include-table", "ledger"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  const auto rest =
      db_.Pgteal({"run", "--copy", "none", "--name", "rest", "--include-table", "rest"});
  ASSERT_TRUE(rest->WaitForLog("streaming slot=")) << rest->Log();
  ASSERT_EQ(Pgteal({"run", "--copy", "none", "--until-caught-up", "--name", "pgteal_eu",
                    "--include-table", "eu"}),
            0)
      << Log();
  const TempFolder folder("captures");
  ASSERT_EQ(Pgteal({"capture", "--until-caught-up", "--output", folder / "one"}), 0) << Log();
  // The first is nobody's on record: of a subscription, or of a deployment into another green.
  db_.blue().Exec("CREATE PUBLICATION paused");
  db_.blue().Exec(
      "SELECT pg_create_logical_replication_slot('paused', 'pgoutput'),"
      " pg_create_logical_replication_slot('pgteal_tool', 'test_decoding')");
  const auto check = RunCheck(db_, {"--only", "F4,F6"});
  EXPECT_EQ(check.Findings("F4"),
            "slot paused (pgoutput, perhaps of another pgteal)\n\n"
            "slot pgteal_tool (test_decoding)\nSELECT pg_drop_replication_slot('pgteal_tool');\n");
  EXPECT_EQ(
      check.Findings("F6"),
      "deployment pgteal_eu with slot pgteal_eu; `pgteal cleanup --name pgteal_eu` ends it\n\n"
      "deployment rest with slot rest (in use); `pgteal cleanup --name rest` ends it\n\n");
  db_.blue().Exec(
      "SELECT pg_drop_replication_slot('paused'), pg_drop_replication_slot('pgteal_tool')");
  EXPECT_EQ(Turn(), 3);
  EXPECT_THAT(Log(), testing::HasSubstr("deployment rest with slot rest"));
  ASSERT_EQ(Pgteal({"cleanup", "--name", "pgteal_eu"}), 0) << Log();
  // Blue is closed for the others, too, which follow at once.
  ASSERT_EQ(Turn({"--skip-check", "F6"}), 0) << Log();
  EXPECT_EQ(Pgteal({"switchover", "--name", "rest"}), 0) << Log();
  EXPECT_FALSE(IsBlueOpen());
}

TEST_F(GuardrailTest, ARoleThatCouldNotWriteOnGreenIsInTheWay) {
  const std::string here = "ALTER ROLE reader IN DATABASE " + db_.name();
  const std::string read_only = " SET default_transaction_read_only = on";
  // One that only reads on both sides is meant to, and one that blue does not let in never wrote.
  db_.ExecBoth("CREATE ROLE reader LOGIN; " + here + read_only);
  db_.green().Exec("CREATE ROLE auditor LOGIN; ALTER ROLE auditor" + read_only);
  const auto all = RunCheck(db_, {"--phase", "switchover", "--only", "H13"});
  EXPECT_EQ(all.Outcomes("H13"), "WARN");
  EXPECT_EQ(all.Findings("H13"),
            "role \"auditor\" is read-only by default\nALTER ROLE auditor "
            "RESET default_transaction_read_only;\n");
  const std::vector<std::string> subjects = {"shop", "shop IN DATABASE " + db_.name(), "ALL"};
  for (const auto& whom : subjects) {
    SCOPED_TRACE(whom);
    db_.green().Exec("ALTER ROLE " + whom + read_only);
    ExpectRefused("H13 roles that write on blue can write on green once it is open: role \"shop\"");
    const auto check = RunCheck(db_, {"--phase", "switchover", "--only", "H13"});
    const std::string fix = "ALTER ROLE " + whom + " RESET default_transaction_read_only;";
    EXPECT_THAT(check.Findings("H13"), testing::HasSubstr(fix));
    db_.green().Exec(fix);
  }
  ASSERT_EQ(Turn(), 0) << Log();
  ExpectOneSideOpen();
  // The fence has made the reader's setting its own for the time being.
  ASSERT_EQ(Turn(), 0) << Log();
  ExpectOneSideOpen();
  db_.ExecBoth("DROP ROLE reader");
  db_.green().Exec("DROP ROLE auditor");
}

TEST_F(GuardrailTest, APreparedTransactionIsRefusedAtTheGuardrailsAndBehindTheFence) {
  const std::string prepare =
      "psql -XAtq \"$PGTEAL_SOURCE\" -c \"BEGIN; INSERT INTO ledger VALUES (9, 9, '')\" -c "
      "\"PREPARE "
      "TRANSACTION 'p'\"";
  db_.clusters().blue().Set("max_prepared_transactions", "4");
  db_.clusters().blue().Restart();
  ASSERT_TRUE(run_->WaitForLog("session ended"));
  db_.blue().Exec("BEGIN; INSERT INTO ledger VALUES (9, 9, ''); PREPARE TRANSACTION 'p'");
  ExpectRefused("prepared transactions can commit behind the fence: p");
  db_.blue().Exec("ROLLBACK PREPARED 'p'");
  const std::string psql = ClientProgram("psql").string();
  EXPECT_EQ(Turn({"--hook", "test \"$PGTEAL_PHASE\" != 'catch up' || " + psql + prepare.substr(4)}),
            3)
      << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("a transaction was prepared before the fence fell"));
  EXPECT_TRUE(IsBlueOpen());
  db_.blue().Exec("ROLLBACK PREPARED 'p'");
}

// psql with our own role, which the fence lets in. Its session counts as ours by its name.
std::string Psql(const std::string& arguments, const std::string& name = "pgteal psql") {
  return "PGAPPNAME='" + name + "' " + ClientProgram("psql").string() +
         " -XAtq \"$PGTEAL_SOURCE\" " + arguments;
}

TEST_F(GuardrailTest, ACommitBehindTheFenceIsRefused) {
  const std::string insert = Psql(
      "-c 'SET default_transaction_read_only = off' -c \"INSERT INTO ledger VALUES (9, 9, '')\"");
  EXPECT_EQ(Turn({"--hook", "test \"$PGTEAL_PHASE\" != drain || " + insert}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("1 transactions were committed after the fence"));
  EXPECT_TRUE(IsBlueOpen());
  EXPECT_FALSE(IsGreenOpen());
}

// The guardrails were asked before: neither a new table nor its rows would be on green.
TEST_F(TurnTest, ATableThatIsMadeAfterTheGuardrailsIsRefused) {
  run_ = db_.Pgteal({"run", "--copy", "none", "--include-table", "ledger"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  const auto at = [](const std::string& phase, const std::string& command) {
    return "test \"$PGTEAL_PHASE\" != '" + phase + "' || " + command;
  };
  const std::string make = Psql("-c 'CREATE TABLE late (id int)' -c 'INSERT INTO late VALUES (1)'");
  for (const auto* phase : {"guardrails", "catch up"}) {
    SCOPED_TRACE(phase);
    EXPECT_EQ(Turn({"--hook", at(phase, make)}), 3) << Log();
    EXPECT_THAT(Log(), testing::HasSubstr("public.late is missing on green"));
    EXPECT_EQ(Log().find("step=fence") != std::string::npos, std::string(phase) == "catch up");
    ExpectOneSideOpen();
    EXPECT_FALSE(IsGreenOpen());
    db_.blue().Exec("DROP TABLE late");
  }
  // What both sides have got is not in the way.
  const std::string index = Psql(
      "-c 'SET default_transaction_read_only = off' -c 'CREATE INDEX late ON ledger (number)'");
  EXPECT_EQ(Turn({"--hook", at("catch up", "{ " + index + "; PGTEAL_SOURCE=\"$PGTEAL_TARGET\"; " +
                                               index + "; }")}),
            0)
      << Log();
}

TEST_F(GuardrailTest, ASessionThatComesBackBehindTheFenceIsRefused) {
  const std::string arrived =
      Psql("-c \"SELECT 'here' FROM pg_stat_activity WHERE application_name = 'guest'\"");
  const std::string guest = "{ " + Psql("-c 'SELECT pg_sleep(60)'", "guest") +
                            " >/dev/null 2>&1 & until test \"$(" + arrived +
                            ")\" = here; do :; done; }";
  EXPECT_EQ(Turn({"--hook", "test \"$PGTEAL_PHASE\" != drain || " + guest}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("1 sessions came back behind the fence: postgres (guest)"));
  EXPECT_TRUE(IsBlueOpen());
}

// From version 15 on the stream does not tell of a transaction without a published row.
TEST_F(GuardrailTest, ACommitBehindTheFenceThatTheStreamDoesNotCarryIsReported) {
  db_.ExecBoth("CREATE SEQUENCE s");
  const std::string next =
      Psql("-c 'SET default_transaction_read_only = off' -c \"SELECT nextval('s')\" >/dev/null");
  const bool is_carried = db_.clusters().blue().major() < 15;
  EXPECT_EQ(Turn({"--hook", "test \"$PGTEAL_PHASE\" != drain || " + next}), is_carried ? 3 : 0)
      << Log();
  EXPECT_THAT(Log(),
              testing::HasSubstr(is_carried ? "were committed after the fence"
                                            : "1 transactions ended on the closed server behind"));
}

TEST_F(GuardrailTest, ARollbackNamesTheSideThatLacksWhatTheOtherHas) {
  const std::string change = "CREATE INDEX extra ON ledger (number)";
  ASSERT_EQ(Turn(), 0) << Log();
  Sql blue(db_.BlueInfo());
  blue.Exec("SET default_transaction_read_only = off");
  ASSERT_TRUE(WaitUntil(
      [&] {
        return blue.Scalar("SELECT count(*) FROM pgteal.schema_baseline WHERE kind = 'recorded'") ==
               "1";
      },
      seconds(30)));
  Sql green = db_.GreenWriter();
  green.Exec(change);
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(),
              testing::HasSubstr("blue's schema is green's: index public.extra is missing on "
                                 "blue. CREATE INDEX extra"));
  // The same once the running stream, in which the table is announced anew, has noticed it.
  green.Exec("INSERT INTO ledger VALUES (6, 1, '')");
  ASSERT_TRUE(run_->WaitForLog("green's schema has changed, blue's has not"));
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("H9 green's schema has not changed since"));
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("missing on green")));
  EXPECT_TRUE(IsGreenOpen());
  blue.Exec(change);
  EXPECT_EQ(Turn(), 0) << Log();
}

TEST_F(GuardrailTest, VerifyAsksForAFreshComparisonThatFoundNothing) {
  EXPECT_EQ(Turn({"--verify"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("the two sides were never compared"));
  db_.green().Exec("INSERT INTO ledger VALUES (66, 6, 'not on blue')");
  EXPECT_EQ(Pgteal({"verify"}), 4) << Log();
  EXPECT_EQ(Turn({"--verify"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("found differences"));
  db_.green().Exec("DELETE FROM ledger");
  EXPECT_EQ(Pgteal({"verify", "--include-table", "ledger"}), 0) << Log();
  EXPECT_EQ(Turn({"--verify"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("left tables out"));
  EXPECT_EQ(Pgteal({"verify"}), 0) << Log();
  db_.green().Exec("UPDATE pgteal.event SET at = at - interval '25 hours' WHERE kind = 'verify'");
  EXPECT_EQ(Turn({"--verify"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("the last `pgteal verify` is 25 hours old"));
  EXPECT_EQ(Pgteal({"verify"}), 0) << Log();
  EXPECT_EQ(Turn({"--verify"}), 0) << Log();
}

}  // namespace
}  // namespace pgteal::tests
