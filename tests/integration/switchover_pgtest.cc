#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/fault/turn_test.h"
#include "tests/support/gate.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

TEST_F(SwitchoverTest, ThereBackAndThereAgainUnderLoad) {
  ASSERT_NO_FATAL_FAILURE(StartClients());
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_EQ(Turn(), 0) << Log();
    EXPECT_EQ(IsGreenOpen(), turn % 2 == 0);
    ASSERT_NO_FATAL_FAILURE(ExpectOneSideOpen());
    EXPECT_TRUE(ledger_->WaitForMore(50));
  }
  ExpectNothingLost();
}

TEST_F(SwitchoverTest, WhatCameFromOneSideNeverReturnsToIt) {
  ASSERT_EQ(Turn(), 0) << Log();
  db_.green().Exec("INSERT INTO ledger VALUES (7, 1, 'from green')");
  ASSERT_TRUE(WaitUntil(
      [this] { return db_.blue().Scalar("SELECT count(*) FROM ledger WHERE client = 7") == "1"; },
      seconds(20)));
  const std::string version = "SELECT ctid, xmin FROM ledger WHERE number = 1";
  const Rows written = db_.green().Query(version);
  ASSERT_EQ(Turn(), 0) << Log();
  db_.blue().Exec("INSERT INTO ledger VALUES (7, 2, 'from blue')");
  ASSERT_TRUE(WaitUntil(
      [this] { return db_.green().Scalar("SELECT count(*) FROM ledger WHERE client = 7") == "2"; },
      seconds(20)));
  EXPECT_EQ(db_.green().Query(version), written) << "green's own row came back to it";
}

TEST_F(SwitchoverTest, SequencesOfEveryKindGoOnWhereTheyWere) {
  db_.ExecBoth(
      "CREATE SEQUENCE called; CREATE SEQUENCE never; CREATE SEQUENCE cached CACHE 1000;"
      "CREATE SEQUENCE down INCREMENT -5 MINVALUE -1000 MAXVALUE 50 START 50;"
      "CREATE SEQUENCE cycling MINVALUE 1 MAXVALUE 3 CYCLE; CREATE SEQUENCE \"Odd \"\"name\";"
      "CREATE SEQUENCE reset; CREATE SEQUENCE brim MAXVALUE 9223372036854775807;"
      "CREATE TABLE owned (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY)");
  db_.blue().Exec(
      "SELECT nextval('called') FROM generate_series(1, 41); SELECT nextval('cached');"
      "SELECT nextval('down') FROM generate_series(1, 3);"
      "SELECT nextval('cycling') FROM generate_series(1, 5); SELECT nextval('\"Odd \"\"name\"');"
      "SELECT setval('reset', 77, false); SELECT setval('brim', 9223372036854775807);"
      "INSERT INTO owned DEFAULT VALUES; INSERT INTO owned DEFAULT VALUES");
  ASSERT_EQ(Turn(), 0) << Log();
  const std::vector<std::string> names = {
      "called",           "never", "cached", "down",         "cycling",
      "\"Odd \"\"name\"", "reset", "brim",   "owned_id_seq", "owned_other_seq"};
  const std::string read = "SELECT last_value, is_called FROM ";
  for (const auto& name : names) {
    EXPECT_EQ(db_.green().Query(read + name), db_.blue().Query(read + name)) << name;
  }
  EXPECT_EQ(db_.green().Scalar("INSERT INTO owned DEFAULT VALUES RETURNING id * 100 + other"),
            "303");
  EXPECT_EQ(db_.green().Scalar("SELECT nextval('down')"), "35");
  EXPECT_EQ(db_.green().Scalar("SELECT nextval('reset')"), "77");
  // And back.
  Sql green = db_.GreenWriter();
  green.Exec("SELECT nextval('called'), setval('reset', 500, false), nextval('never')");
  ASSERT_EQ(Turn(), 0) << Log();
  for (const auto& name : names) {
    EXPECT_EQ(db_.blue().Query(read + name), db_.green().Query(read + name)) << name;
  }
  EXPECT_EQ(db_.blue().Query(read + "reset"), (Rows{{"500", "f"}}));
  EXPECT_EQ(db_.blue().Scalar("SELECT nextval('called')"), "43");
}

TEST_F(SwitchoverTest, SyncSequencesWorksAtAnyTimeAndInTheDirectionOfTheStream) {
  db_.ExecBoth("CREATE SEQUENCE s");
  db_.blue().Exec("SELECT setval('s', 500)");
  EXPECT_EQ(Pgteal({"sync-sequences"}), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT last_value FROM s"), "500");
  ASSERT_EQ(Turn(), 0) << Log();
  db_.green().Exec("SELECT setval('s', 900)");
  EXPECT_EQ(Pgteal({"sync-sequences", "--json"}), 0) << Log();
  EXPECT_EQ(nlohmann::json::parse(tool_->Stdout())["sequences"], 1);
  EXPECT_EQ(db_.blue().Scalar("SELECT last_value FROM s"), "900");
}

// What it has read would be set on a side that is open by then.
TEST_F(SwitchoverTest, NoTurnBeginsWhileSequencesAreBeingSetAndNoneAreSetDuringATurn) {
  db_.ExecBoth("CREATE SEQUENCE s");
  Gate green(db_.clusters().green());
  green.Delay(std::chrono::milliseconds(150));
  const auto sync = db_.PgtealVia("", green.ConnInfo(db_.name()), {"sync-sequences"});
  ASSERT_TRUE(WaitUntil(
      [this] {
        return db_.green().Scalar(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                   " AND query LIKE '%relkind = ''S''%' AND state = 'idle'"
                   " AND pid <> pg_backend_pid()") == "1";
      },
      seconds(20)));
  green.Stop();
  EXPECT_EQ(Turn(), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("sync-sequences"));
  green.Pass();
  EXPECT_EQ(sync->WaitExit(), 0) << sync->Log();
  HeldTurn turn(db_, "pgteal", true);
  EXPECT_EQ(Pgteal({"sync-sequences"}), 3) << Log();
  EXPECT_EQ(turn.End(), 0);
}

TEST_F(SwitchoverTest, LargeObjectsThatChangedSinceTheLoadComeAlong) {
  db_.ExecBoth("SELECT lo_from_bytea(4001, 'as it was'), lo_from_bytea(4002, 'goes away')");
  db_.ExecBoth("SELECT lo_from_bytea(4004, 'private'), lo_from_bytea(4005, 'open')");
  db_.green().Exec("GRANT UPDATE ON LARGE OBJECT 4005 TO shop");
  // Two pieces of what is hashed and five of what is copied, the last of them not whole.
  db_.blue().Exec(
      "SELECT lo_put(4001, 3, 'IT'), lo_unlink(4002), lo_from_bytea(4003, repeat('x', "
      "9000000)::bytea); GRANT SELECT ON LARGE OBJECT 4003, 4004 TO shop WITH GRANT OPTION;"
      "GRANT SELECT ON LARGE OBJECT 4005 TO PUBLIC");
  ASSERT_EQ(Pgteal({"switchover", "--dry-run"}), 0) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("5 large objects changed since they were copied"));
  // What is written after the preparation is copied behind the fence.
  const std::string late = ClientProgram("psql").string() +
                           " -XAtq \"$PGTEAL_SOURCE\" -c \"SELECT lo_put(4001, 0, 'LATE')\"";
  ASSERT_EQ(Turn({"--json", "--hook", "test \"$PGTEAL_PHASE\" != 'catch up' || " + late}), 0)
      << Log();
  EXPECT_EQ(nlohmann::json::parse(tool_->Stdout())["large_objects"], 1);
  EXPECT_EQ(db_.green().Scalar("SELECT convert_from(lo_get(4001), 'UTF8')"), "LATET was");
  const std::string contents =
      "SELECT oid, md5(lo_get(oid)), lomacl FROM pg_largeobject_metadata ORDER BY oid";
  EXPECT_EQ(db_.green().Query(contents), db_.blue().Query(contents));
}

// Each takes a place in the lock table until the transaction ends.
TEST(ManyLargeObjects, AreRemovedThoughGreensLockTableIsSmall) {
  ClusterPair clusters(DefaultVersions(), {},
                       {{"max_locks_per_transaction", "10"}, {"max_connections", "20"}});
  DatabasePair db(clusters);
  const std::string make = "SELECT count(lo_create(n)) FROM generate_series";
  db.blue().Exec("CREATE TABLE t (id int PRIMARY KEY);" + make + "(20001, 20600) AS n");
  const std::string count = "SELECT count(*) FROM pg_largeobject_metadata";
  Sql holder(db.GreenInfo());
  holder.Exec("BEGIN; SELECT lo_create(20600)");
  auto run = db.Pgteal({"run"});
  ASSERT_TRUE(WaitUntil([&] { return db.green().Scalar(count) == "500"; }, seconds(60)));
  run->Kill9();
  holder.Exec("ROLLBACK");
  // As many as that would be had it come further.
  db.GreenWriter().Exec(make + "(30001, 33000) AS n");
  run = db.Pgteal({"run"});
  ASSERT_TRUE(run->WaitForLog("streaming slot=")) << run->Log();
  EXPECT_EQ(db.green().Scalar(count), "600");
  db.GreenWriter().Exec(make + "(30001, 33000) AS n");
  const auto turn = db.Pgteal({"switchover"});
  EXPECT_EQ(turn->WaitExit(seconds(60)), 0) << turn->Log();
  EXPECT_EQ(db.green().Scalar(count), "600");
}

TEST_F(SwitchoverTest, WhatDoesNotComeAlongIsListedByName) {
  const auto warned = [this] {
    EXPECT_EQ(Pgteal({"switchover", "--dry-run", "--json"}), 0) << Log();
    const auto report = nlohmann::json::parse(tool_->Stdout());
    std::string all;
    for (const auto& warning : report["warnings"]) {
      all += warning.get<std::string>() + "\n";
    }
    return all;
  };
  // The log of statements that we keep ourselves is unlogged.
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  run_ = db_.Pgteal({"run", "--copy", "none", "--ddl-guard", "event-trigger"});
  ASSERT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  const std::string none = warned();
  for (const auto* kind : {"unlogged", "foreign", "materialized"}) {
    EXPECT_THAT(none, testing::Not(testing::HasSubstr(kind)));
  }
  db_.ExecBoth(
      "CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY); CREATE FOREIGN DATA WRAPPER w;"
      "CREATE SERVER far FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE \"Away\" (a int) SERVER far;"
      "CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM ledger");
  const std::string all = warned();
  EXPECT_THAT(all, testing::HasSubstr("do not come along: public.scratch\n"));
  EXPECT_THAT(all, testing::HasSubstr("the new side needs: public.\"Away\"\n"));
  EXPECT_THAT(all, testing::HasSubstr("last refresh saw: public.total\n"));
}

TEST_F(SwitchoverTest, MaterializedViewsAreRefreshedAndTablesAnalyzedBeforeTheFence) {
  db_.ExecBoth("CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM ledger");
  db_.blue().Exec("INSERT INTO ledger SELECT 5, i, '' FROM generate_series(1, 500) AS i");
  ASSERT_TRUE(db_.WaitCaughtUp());
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT n FROM total"), "500");
  EXPECT_NE(db_.green().Scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'ledger'"), "0");
}

TEST_F(SwitchoverTest, RefreshAndAnalyzeCanBeLeftOut) {
  db_.ExecBoth("CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM ledger");
  db_.green().Exec("ALTER TABLE ledger SET (autovacuum_enabled = off)");
  db_.blue().Exec("INSERT INTO ledger SELECT 5, i, '' FROM generate_series(1, 500) AS i");
  ASSERT_TRUE(db_.WaitCaughtUp());
  ASSERT_EQ(Turn({"--no-refresh", "--no-analyze"}), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT n FROM total"), "0");
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'ledger'"), "0");
}

TEST_F(SwitchoverTest, ATransactionThatIsOpenAtTheFenceIsRolledBack) {
  Sql shop(db_.BlueInfo() + " user=shop");
  shop.Exec("BEGIN; INSERT INTO ledger VALUES (8, 1, 'never committed')");
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_FALSE(shop.IsAlive());
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM ledger WHERE client = 8"), "0");
  EXPECT_EQ(db_.blue().Scalar("SELECT count(*) FROM ledger WHERE client = 8"), "0");
}

TEST_F(SwitchoverTest, SessionsThatSwitchReadOnlyOffAndSuperusersAreOutToo) {
  db_.blue().Exec("CREATE ROLE boss SUPERUSER LOGIN");
  Sql boss(db_.BlueInfo() + " user=boss");
  Sql shop(db_.BlueInfo() + " user=shop");
  for (auto* session : {&boss, &shop}) session->Exec("SET default_transaction_read_only = off");
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_FALSE(boss.IsAlive());
  EXPECT_FALSE(shop.IsAlive());
  EXPECT_THROW(Sql(db_.BlueInfo() + " user=boss"), SqlError);
  // What is left can read, and has to say aloud that it wants to write.
  Sql ours(db_.BlueInfo());
  EXPECT_EQ(ours.Failure("INSERT INTO ledger VALUES (9, 9, '')"), "25006");
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(db_.blue().Scalar("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'boss'"), "t");
  db_.blue().Exec("DROP ROLE boss");
}

TEST_F(SwitchoverTest, ARollbackLeavesRolesAndDefaultsExactlyAsTheyWere) {
  db_.blue().Exec(
      "CREATE ROLE locked NOLOGIN; CREATE ROLE writer LOGIN; CREATE ROLE reader LOGIN;"
      "ALTER ROLE writer SET default_transaction_read_only = off;"
      "ALTER ROLE reader IN DATABASE " +
      db_.name() +
      " SET default_transaction_read_only = on;"
      "ALTER ROLE writer SET work_mem = '5MB'");
  const Rows before = Settings().front();
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_NE(Settings().front(), before);
  EXPECT_EQ(db_.blue().Scalar("SELECT count(*) FROM pg_roles WHERE rolcanlogin"), "1");
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_EQ(Settings().front(), before);
  db_.blue().Exec("DROP ROLE locked; ALTER ROLE reader IN DATABASE " + db_.name() +
                  " RESET ALL; DROP ROLE reader; DROP ROLE writer");
}

TEST_F(SwitchoverTest, AReconnectStormDoesNotGetThrough) {
  ASSERT_NO_FATAL_FAILURE(StartClients(16, {.reconnect = std::chrono::milliseconds(2)}));
  ASSERT_EQ(Turn(), 0) << Log();
  EXPECT_TRUE(ledger_->WaitForMore(50));
  ExpectNothingLost();
}

TEST_F(SwitchoverTest, ARoleThatIsLeftAloneKeepsItsLoginAndItsSession) {
  db_.blue().Exec("CREATE ROLE monitor LOGIN");
  Sql monitor(db_.BlueInfo() + " user=monitor");
  ASSERT_EQ(Turn({"--leave-role", "monitor"}), 0) << Log();
  EXPECT_TRUE(monitor.IsAlive());
  EXPECT_EQ(monitor.Scalar("SELECT 1"), "1");
  EXPECT_NO_THROW(Sql(db_.BlueInfo() + " user=monitor"));
  db_.blue().Exec("DROP ROLE monitor");
}

TEST_F(SwitchoverTest, TheHookLearnsEveryPhaseAndBothSides) {
  const TempFolder folder("pgteal-hook");
  const std::string file = (folder / "phases").string();
  const std::string ports = (folder / "ports").string();
  const auto port_of = [](const std::string& side) {
    return ClientProgram("psql").string() + " -XAtqc 'SHOW port' \"$PGTEAL_" + side + "\"";
  };
  const std::string hook = "echo \"$PGTEAL_PHASE ${PGTEAL_LSN:+lsn}\" >> " + file +
                           "; test \"$PGTEAL_PHASE\" != switched || { " + port_of("FROM") + "; " +
                           port_of("TO") + "; " + port_of("SOURCE") + "; " + port_of("TARGET") +
                           "; } > " + ports;
  const std::string blue = std::to_string(db_.clusters().blue().port()) + "\n";
  const std::string green = std::to_string(db_.clusters().green().port()) + "\n";
  ASSERT_EQ(Turn({"--hook", hook}), 0) << Log();
  EXPECT_EQ(ReadFile(file),
            "connect \nguardrails \nprepare \ncatch up \nfence \ndrain lsn\nprove lsn\n"
            "sequences lsn\nlarge objects lsn\narm lsn\ncommit lsn\nswitched lsn\n");
  EXPECT_EQ(ReadFile(ports), blue + green + blue + green);
  ASSERT_EQ(Turn({"--hook", hook}), 0) << Log();
  EXPECT_EQ(ReadFile(ports), green + blue + blue + green);
}

TEST_F(SwitchoverTest, WithoutAWayBackThereIsNoRollback) {
  ASSERT_EQ(Turn({"--no-way-back"}), 0) << Log();
  EXPECT_EQ(db_.green().Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(Pgteal({"rollback"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("no way back was armed, so there is no rollback"));
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("there is no deployment")));
  // The stream that was at work has nothing left to do, and neither has one that is started again.
  EXPECT_EQ(run_->WaitExit(), 0) << run_->Log();
  EXPECT_THAT(run_->Log(), testing::HasSubstr("no way back was armed"));
  EXPECT_THAT(run_->Log(), testing::HasSubstr("`pgteal cleanup`"));
  EXPECT_EQ(Pgteal({"run"}), 0) << Log();
  EXPECT_EQ(Pgteal({"cleanup"}), 0) << Log();
}

TEST_F(SwitchoverTest, ARollbackWithoutAWayBackLeavesNothingToStreamEither) {
  ASSERT_EQ(Turn(), 0) << Log();
  ASSERT_EQ(Turn({"--no-way-back"}), 0) << Log();
  EXPECT_EQ(run_->WaitExit(), 0) << run_->Log();
  EXPECT_THAT(run_->Log(), testing::HasSubstr("blue takes the writes and no way back was armed"));
  EXPECT_EQ(Pgteal({"switchover"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("no way back was armed, so there is no switchover"));
}

TEST_F(SwitchoverTest, StatusTellsTheStateWhileNobodyRuns) {
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  db_.blue().Exec("INSERT INTO ledger SELECT 5, i, 'x' FROM generate_series(1, 1000) AS i");
  ASSERT_EQ(Pgteal({"status", "--json"}), 0) << Log();
  const auto status = nlohmann::json::parse(tool_->Stdout());
  EXPECT_EQ(status["state"], "streaming");
  EXPECT_FALSE(status["slot"]["active"]);
  EXPECT_GT(status["lag_bytes"], 1000);
  EXPECT_GT(status["slot"]["retained_bytes"], 1000);
  ASSERT_EQ(Pgteal({"status"}), 0);
  EXPECT_THAT(tool_->Stdout(), testing::HasSubstr("slot         idle, WAL reserved"));
  EXPECT_EQ(Pgteal({"status", "--name", "other"}), 3);
}

TEST_F(SwitchoverTest, StatusWatchesUntilItIsStopped) {
  auto watch = db_.Pgteal({"status", "--watch", "--interval", "1", "--json"});
  ASSERT_TRUE(WaitUntil(
      [&] {
        const std::string out = watch->Stdout();
        return std::count(out.begin(), out.end(), '\n') >= 2;
      },
      seconds(20)));
  watch->Terminate();
  EXPECT_EQ(watch->WaitExit(), 130);
}

TEST_F(SwitchoverTest, CleanupIsRefusedWhileASwitchoverIsUnderWay) {
  const TempFolder folder("pgteal-go");
  const std::string go = (folder / "go").string();
  auto turn = db_.Pgteal(
      {"switchover", "--hook",
       "test \"$PGTEAL_PHASE\" != fence || while ! test -e " + go + "; do sleep 0.02; done"});
  ASSERT_TRUE(turn->WaitForLog("step=fence"));
  EXPECT_EQ(Pgteal({"cleanup"}), 3) << Log();
  EXPECT_EQ(Pgteal({"switchover"}), 3) << Log();
  EXPECT_THAT(Log(), testing::HasSubstr("is under way"));
  std::ofstream(go) << "";
  EXPECT_EQ(turn->WaitExit(), 0);
}

TEST_F(SwitchoverTest, CleanupAfterASwitchoverRemovesTheWayBackAndLeavesBlueClosed) {
  ASSERT_EQ(Turn(), 0) << Log();
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  ASSERT_EQ(Pgteal({"cleanup"}), 0) << Log();
  EXPECT_THAT(tool_->Stdout(), testing::HasSubstr("ALTER ROLE \"shop\" LOGIN"));
  for (auto* side : {&db_.blue(), &db_.green()}) {
    EXPECT_EQ(side->Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
    EXPECT_EQ(side->Scalar("SELECT count(*) FROM pg_publication"), "0");
    EXPECT_EQ(side->Scalar("SELECT to_regnamespace('pgteal') IS NULL"), "t");
  }
  EXPECT_FALSE(IsBlueOpen());
  EXPECT_TRUE(Admits(db_.GreenInfo()));
}

TEST_F(SwitchoverTest, WhatOpensBlueIsToldThoughACleanupIsCutOff) {
  ASSERT_EQ(Turn(), 0) << Log();
  run_->Terminate();
  ASSERT_EQ(run_->WaitExit(), 130);
  Sql holder(db_.GreenInfo());
  holder.Exec("BEGIN; LOCK TABLE pgteal.event IN SHARE MODE");
  const auto cut_off = db_.Pgteal({"cleanup"});
  ASSERT_TRUE(WaitUntil(
      [&] {
        return db_.green().Scalar(
                   "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname ="
                   " current_database() AND application_name = 'pgteal pgteal'"
                   " AND wait_event_type = 'Lock'") == "1";
      },
      seconds(20)));
  EXPECT_EQ(cut_off->WaitExit(), 1) << cut_off->Log();
  holder.Exec("ROLLBACK");
  ASSERT_EQ(Pgteal({"cleanup"}), 0) << Log();
  EXPECT_THAT(cut_off->Log() + cut_off->Stdout() + Log(),
              testing::HasSubstr("ALTER ROLE \"shop\" LOGIN"));
}

TEST_F(TurnTest, AGreenThatWasMadeReadOnlyByHandBeforehandIsOpenedAllTheSame) {
  db_.green().Exec("ALTER DATABASE " + db_.name() + " SET default_transaction_read_only = on");
  ASSERT_NO_FATAL_FAILURE(StartRun());
  ASSERT_EQ(Turn(), 0) << Log();
  ExpectOneSideOpen();
}

}  // namespace
}  // namespace pgteal::tests
