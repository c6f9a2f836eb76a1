#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/fault/turn_test.h"
#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

// Everything by a role that has what README lists under Privileges, and no more.
class ModestRole : public TurnTest {
 protected:
  ModestRole() {
    for (auto* side : {&db_.blue(), &db_.green()}) {
      side->Exec("CREATE ROLE mover LOGIN REPLICATION CREATEROLE; ALTER TABLE ledger OWNER TO " +
                 std::string(kRole) + "; GRANT " + kRole +
                 " TO mover WITH ADMIN OPTION; GRANT pg_signal_backend TO mover; ALTER DATABASE " +
                 db_.name() + " OWNER TO mover");
      if (std::stoi(side->Scalar("SHOW server_version_num")) >= 150000) {
        side->Exec("GRANT SET ON PARAMETER session_replication_role TO mover");
      }
    }
  }
  ~ModestRole() override {
    run_.reset();
    for (auto* side : {&db_.blue(), &db_.green()}) {
      side->Exec("ALTER DATABASE " + db_.name() + " OWNER TO postgres;" +
                 "REASSIGN OWNED BY mover TO postgres; DROP OWNED BY mover; DROP ROLE mover");
    }
  }
  void SetUp() override {
    run_ = AsMover({"run", "--copy", "none", "--include-table", "ledger"});
    ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  }

  std::unique_ptr<PgtealProcess> AsMover(const Args& args) const {
    return db_.PgtealVia(db_.BlueInfo() + " user=mover", db_.GreenInfo() + " user=mover", args);
  }
  int TurnAsMover(Args args) {
    args.insert(args.end(), {"--leave-role", "postgres"});
    tool_ = AsMover(args);
    return tool_->WaitExit(std::chrono::seconds(40)).value_or(-1);
  }
};

TEST_F(ModestRole, ChangesOfBluesSchemaAreNoticed) {
  // As the planner may choose for many tables: what is asked of a relation is asked of all of them.
  db_.blue().Exec("ALTER ROLE mover SET enable_nestloop = off");
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  ASSERT_NO_FATAL_FAILURE(SetUp());
  ASSERT_TRUE(WaitUntil(
      [&] {
        return db_.green().Scalar(
                   "SELECT count(*) FROM pgteal.schema_baseline WHERE kind = 'recorded'") == "1";
      },
      std::chrono::seconds(30)))
      << run_->Log();
  db_.blue().Exec("CREATE INDEX ledger_note ON ledger (note)");
  const auto state = [this] { return db_.green().Scalar("SELECT state FROM pgteal.deployment"); };
  EXPECT_TRUE(WaitUntil([&] { return state() == "degraded"; }, std::chrono::seconds(30)))
      << run_->Log();
  EXPECT_THAT(run_->Log(), Not(HasSubstr("permission denied")));
  auto check = AsMover({"check", "--json", "--phase", "running", "--only", "D1,D17,D20"});
  const auto answers = ReadCheck(*check);
  for (const char* id : {"D1", "D17", "D20"}) {
    EXPECT_THAT(answers.Outcomes(id), testing::StartsWith("PASS"));
    EXPECT_THAT(answers.Outcomes(id), Not(HasSubstr("SKIPPED"))) << answers.Findings(id);
  }
}

TEST_F(ModestRole, ASwitchoverAndARollbackNeedNoSuperuser) {
  ASSERT_NO_FATAL_FAILURE(StartClients());
  for (const char* verb : {"switchover", "rollback"}) {
    ASSERT_EQ(TurnAsMover({verb, "--json"}), 0) << Log() << run_->Log();
    ExpectOneSideOpen();
    ASSERT_TRUE(ledger_->WaitForMore(20)) << run_->Log();
  }
  ExpectNothingLost();
}

// Without the right to silence them, triggers would write for the rows that come back once more.
TEST_F(ModestRole, AWayBackThatWouldFireTriggersIsRefusedInBothDirections) {
  db_.ExecBoth(
      "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
      "CREATE TRIGGER audit AFTER INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION noop()");
  const auto ask = [this](const std::string& phase) {
    return ReadCheck(*AsMover({"check", "--json", "--phase", phase, "--only", "H15"}));
  };
  const std::vector<std::pair<std::string, std::string>> turns = {{"switchover", "blue"},
                                                                  {"rollback", "green"}};
  for (const auto& [verb, from] : turns) {
    SCOPED_TRACE(verb);
    auto& side = from == "blue" ? db_.blue() : db_.green();
    const bool by_grant = std::stoi(side.Scalar("SHOW server_version_num")) >= 150000;
    const std::string fix = by_grant ? "GRANT SET ON PARAMETER session_replication_role TO mover;"
                                     : "ALTER ROLE mover SUPERUSER;";
    EXPECT_EQ(ask("switchover").Outcomes("H15"), by_grant ? "PASS" : "FAIL");
    if (by_grant) {
      side.Exec("REVOKE SET ON PARAMETER session_replication_role FROM mover");
    }
    EXPECT_EQ(ask("running").Outcomes("H15"), "WARN");
    const auto check = ask("switchover");
    EXPECT_EQ(check.Outcomes("H15"), "FAIL");
    EXPECT_EQ(check.Findings("H15"), "public.ledger: trigger audit\n" + fix + "\n");
    EXPECT_EQ(TurnAsMover({verb}), 3) << Log();
    EXPECT_THAT(Log(), HasSubstr("H15 " + from + "'s triggers, rules and foreign keys stay"));
    EXPECT_EQ(TurnAsMover({verb, "--dry-run", "--no-way-back"}), 0) << Log();
    side.Exec(fix);
    ASSERT_EQ(TurnAsMover({verb}), 0) << Log() << run_->Log();
  }
}

// A role that may not silence green's triggers: what is deleted there takes along what refers to
// it.
class ModestKeys : public ModestRole {
 protected:
  void SetUp() override {}
  // Both sides have a row 1 in `parent`, with a child that goes when it is deleted. `parent`: the
  // rest of CREATE TABLE.
  void Begin(const std::string& parent) {
    db_.ExecBoth("CREATE TABLE parent " + parent);
    db_.ExecBoth(
        "INSERT INTO parent(id) VALUES (1); ALTER TABLE parent OWNER TO mover;"
        "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);"
        "INSERT INTO child VALUES (1, 1); ALTER TABLE child OWNER TO mover");
    ASSERT_EQ(Stream({"--include-table", "ledger", "--include-table", "parent*", "--include-table",
                      "child"}),
              0)
        << Log();
    Forbid();
  }
  int Stream(const Args& more) {
    Args args = {"run", "--copy", "none", "--until-caught-up"};
    args.insert(args.end(), more.begin(), more.end());
    tool_ = AsMover(args);
    return tool_->WaitExit(std::chrono::seconds(60)).value_or(-1);
  }
  int Reload() { return Stream({"--reload-table", "public.parent"}); }
  void Forbid() { db_.green().Exec("REVOKE SET ON PARAMETER session_replication_role FROM mover"); }
  void Allow() { db_.green().Exec("GRANT SET ON PARAMETER session_replication_role TO mover"); }
  std::string Children() { return db_.green().Scalar("SELECT count(*) FROM child"); }
  std::string Behind() {
    return ReadCheck(*AsMover({"check", "--json", "--phase", "running", "--only", "H9"}))
        .Findings("H9");
  }
  void ExpectRefused(int code) {
    EXPECT_EQ(code, 3) << Log();
    EXPECT_THAT(Log(), HasSubstr(" of public.child"));
    EXPECT_THAT(Log(), HasSubstr("set session_replication_role on green"));
    EXPECT_EQ(Children(), "1");
  }
};

TEST_F(ModestKeys, AReloadThatWouldCascadeIntoOtherTablesIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Begin("(id int PRIMARY KEY)"));
  ASSERT_NO_FATAL_FAILURE(ExpectRefused(Reload()));
  EXPECT_THAT(Log(), HasSubstr("child_parent_fkey of public.child"));
  // Nothing was emptied, so nothing is missing.
  EXPECT_EQ(Behind(), "");
  Allow();
  EXPECT_EQ(Reload(), 0) << Log();
  EXPECT_EQ(Children(), "1");
  EXPECT_EQ(Behind(), "");
  EXPECT_TRUE(db_.Equal());
}

// The foreign key is the parent's; what fires is each partition's.
TEST_F(ModestKeys, AReloadOfAPartitionThatWouldCascadeIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Begin(
      "(id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE parent_1 PARTITION OF parent DEFAULT; ALTER TABLE parent_1 OWNER TO mover"));
  ExpectRefused(Reload());
}

TEST_F(ModestKeys, OverwritingTheRowOfAKeySparesWhatRefersToIt) {
  ASSERT_NO_FATAL_FAILURE(Begin("(id int PRIMARY KEY, mail text UNIQUE)"));
  db_.blue().Exec("BEGIN; DELETE FROM child; DELETE FROM parent; COMMIT");
  Allow();
  ASSERT_EQ(Stream({}), 0) << Log();
  Forbid();
  Sql(db_.GreenWriter())
      .Exec("INSERT INTO parent VALUES (1, 'green'), (2, NULL); INSERT INTO child VALUES (1, 1)");
  db_.blue().Exec("INSERT INTO parent VALUES (1, 'blue')");
  ASSERT_EQ(Stream({"--on-conflict", "overwrite"}), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT mail FROM parent WHERE id = 1"), "blue");
  EXPECT_EQ(Children(), "1");
  // The row of another key would have to go.
  db_.blue().Exec("UPDATE parent SET id = 2");
  ExpectRefused(Stream({"--on-conflict", "overwrite"}));
  EXPECT_THAT(Log(), HasSubstr("public.parent"));
  EXPECT_THAT(Log(), HasSubstr("end_lsn "));
}

TEST_F(ModestKeys, ARowThatOthersReferToIsNotReplacedForItsIdentity) {
  ASSERT_NO_FATAL_FAILURE(Begin("(id int PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY)"));
  db_.blue().Exec("UPDATE parent SET seq = DEFAULT");
  ExpectRefused(Stream({}));
  EXPECT_THAT(Log(), HasSubstr("public.parent"));
  EXPECT_THAT(Log(), HasSubstr("end_lsn "));
  Allow();
  EXPECT_EQ(Stream({}), 0) << Log();
  EXPECT_EQ(Children(), "1");
  EXPECT_TRUE(db_.Equal());
}

TEST_F(ModestKeys, OnTheWayBackAReloadIsBluesToAllow) {
  ASSERT_NO_FATAL_FAILURE(Begin("(id int PRIMARY KEY)"));
  run_ = AsMover({"run", "--copy", "none"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  ASSERT_EQ(TurnAsMover({"switchover"}), 0) << Log() << run_->Log();
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  db_.blue().Exec("REVOKE SET ON PARAMETER session_replication_role FROM mover");
  EXPECT_EQ(Reload(), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("rows of other tables on blue"));
  EXPECT_THAT(Log(), HasSubstr("set session_replication_role on blue"));
}

TEST_F(ModestRole, WithoutAWayBackGreenNeedNotBeAbleToSend) {
  db_.green().Exec("ALTER ROLE mover NOREPLICATION");
  EXPECT_EQ(TurnAsMover({"switchover", "--dry-run"}), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("H10 green can stream the way back: role mover lacks REPLICATION"));
  EXPECT_EQ(TurnAsMover({"switchover", "--no-way-back"}), 0) << Log();
  EXPECT_TRUE(IsGreenOpen());
}

// They are set behind the fence.
TEST_F(ModestRole, SequencesThatItMayNotSetAreInTheWay) {
  db_.ExecBoth("CREATE SEQUENCE s; GRANT SELECT ON SEQUENCE s TO mover");
  const auto check =
      ReadCheck(*AsMover({"check", "--json", "--phase", "switchover", "--only", "C3,C12,C13"}));
  EXPECT_EQ(check.exit_code, 3);
  EXPECT_EQ(check.Outcomes("C3"), "PASS");
  for (const auto* id : {"C12", "C13"}) {
    EXPECT_EQ(check.Outcomes(id), "FAIL");
    EXPECT_THAT(check.Findings(id), HasSubstr("UPDATE ON SEQUENCE public.s TO mover;"));
  }
  EXPECT_EQ(TurnAsMover({"switchover", "--dry-run"}), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("C12 our role may read and set every sequence: public.s"));
  db_.green().Exec("GRANT UPDATE ON SEQUENCE s TO mover");
  EXPECT_EQ(TurnAsMover({"switchover", "--dry-run", "--no-way-back"}), 0) << Log();
  db_.blue().Exec("GRANT UPDATE ON SEQUENCE s TO mover");
  EXPECT_EQ(TurnAsMover({"switchover"}), 0) << Log();
}

// Whoever owns them, the superuser here, may publish the extension's tables, too.
TEST_F(ModestRole, SequencesOfExtensionsAreLeftToTheirOwners) {
  db_.ExecBoth(
      "CREATE SCHEMA job; CREATE SEQUENCE job.s; ALTER EXTENSION plpgsql ADD SEQUENCE job.s");
  db_.blue().Exec("SELECT setval('job.s', 40)");
  db_.green().Exec("SELECT setval('job.s', 7)");
  const auto values = [this] {
    const std::string sql = "SELECT last_value FROM job.s";
    return db_.blue().Scalar(sql) + " " + db_.green().Scalar(sql);
  };
  EXPECT_EQ(TurnAsMover({"switchover"}), 0) << Log();
  EXPECT_EQ(values(), "40 7");
  EXPECT_EQ(Pgteal({"sync-sequences"}), 0) << Log();
  EXPECT_EQ(values(), "7 7");
}

TEST_F(ModestRole, TheFenceNamesWhatItCannotCloseUnlessItIsLeftAlone) {
  const auto ask = [this](const Args& more) {
    Args args = {"check", "--json", "--phase", "switchover", "--only", "H6"};
    args.insert(args.end(), more.begin(), more.end());
    return ReadCheck(*AsMover(args));
  };
  EXPECT_THAT(ask({}).Findings("H6"), HasSubstr("role postgres"));
  EXPECT_EQ(ask({"--leave-role", "postgres"}).Outcomes("H6"), "PASS");
  db_.blue().Exec("REVOKE pg_signal_backend FROM mover; REVOKE shop FROM mover");
  EXPECT_THAT(ask({"--leave-role", "postgres"}).Findings("H6"), HasSubstr("role shop\n"));
  EXPECT_THAT(ask({"--leave-role", "postgres"}).Findings("H6"),
              HasSubstr("GRANT pg_signal_backend TO mover;"));
}

TEST_F(ModestRole, ARoleThatCannotLogInAndIsBeyondReachIsNotInTheWay) {
  for (auto* side : {&db_.blue(), &db_.green()}) {
    side->Exec(
        "CREATE ROLE readonly NOLOGIN SUPERUSER; ALTER ROLE readonly SET"
        " default_transaction_read_only = on");
  }
  EXPECT_EQ(TurnAsMover({"switchover"}), 0) << Log();
  ExpectOneSideOpen();
  for (auto* side : {&db_.blue(), &db_.green()}) side->Exec("DROP ROLE readonly");
}

// A pool that was there before has read-only as its default for good. When each session began is
// hidden from us.
TEST_F(ModestRole, SessionsOfBeforeAreEndedOnTheOpenedSideOrNamed) {
  if (std::stoi(db_.green().Scalar("SHOW server_version_num")) >= 160000) {
    db_.green().Exec("GRANT ALL ON ledger TO mover; GRANT shop TO mover WITH INHERIT FALSE");
  }
  Sql pool(db_.GreenInfo() + " user=shop");
  db_.green().Exec("CREATE ROLE boss SUPERUSER LOGIN");
  Sql boss(db_.GreenInfo() + " user=boss");
  ASSERT_EQ(TurnAsMover({"switchover", "--no-way-back"}), 0) << Log();
  EXPECT_FALSE(pool.IsAlive());
  EXPECT_TRUE(boss.IsAlive());
  EXPECT_THAT(Log(), HasSubstr("boss"));
  Sql fresh(db_.GreenInfo() + " user=shop");
  EXPECT_EQ(fresh.Failure("INSERT INTO ledger VALUES (9, 9, '')"), "");
  db_.green().Exec("DROP ROLE boss");
}

TEST_F(ModestRole, ChecksThatWereSkippedAreInTheReport) {
  ASSERT_EQ(TurnAsMover({"switchover", "--json", "--skip-check", "D19", "--skip-check", "H8"}), 0)
      << Log();
  EXPECT_EQ(nlohmann::json::parse(tool_->Stdout())["skipped_checks"],
            nlohmann::json({"D19", "H8"}));
  ASSERT_EQ(TurnAsMover({"rollback", "--skip-check", "D19"}), 0) << Log();
  EXPECT_THAT(tool_->Stdout(), HasSubstr("skipped        D19\n"));
}

}  // namespace
}  // namespace pgteal::tests
