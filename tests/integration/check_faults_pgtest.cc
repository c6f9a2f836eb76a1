#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/integration/check_test.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

// Something that is wrong, and what the check of that id has to say about it.
struct Fault {
  const char* id;
  const char* blue;
  const char* green;
  const char* outcome;
  std::vector<const char*> found;
};

void Plant(DatabasePair& db, const std::vector<Fault>& faults) {
  for (const auto& fault : faults) {
    SCOPED_TRACE(fault.id);
    db.blue().Exec(fault.blue);
    db.green().Exec(fault.green);
  }
}

void ExpectFound(const CheckRun& check, const std::vector<Fault>& faults) {
  for (const auto& fault : faults) {
    SCOPED_TRACE(std::string(fault.id) + " " + fault.blue + fault.green);
    EXPECT_THAT(check.Outcomes(fault.id), HasSubstr(fault.outcome));
    for (const auto* text : fault.found) EXPECT_THAT(check.Findings(fault.id), HasSubstr(text));
  }
}

class CheckFaults : public PairTest {
 protected:
  CheckFaults() : PairTest({14, 18}) {}
};

const std::vector<Fault> kBlueFaults = {
    {"C10",
     "CREATE ROLE rdsadmin; CREATE TABLE provided (a int PRIMARY KEY);"
     "ALTER TABLE provided OWNER TO rdsadmin",
     "",
     "INFO",
     {"public.provided belongs to rdsadmin"}},
    {"G11",
     "CREATE COLLATION german (provider = icu, locale = 'de');"
     "CREATE TABLE sorted (a text COLLATE german PRIMARY KEY)",
     "",
     "INFO",
     {"public.german version "}},
    {"G12",
     "UPDATE pg_collation SET collversion = '0' WHERE collname = 'german'",
     "",
     "WARN",
     {"public.german is recorded as 0 and is ", "ALTER COLLATION public.german REFRESH VERSION;"}},
    {"G13", "CREATE ROLE \"a\nb\"", "", "WARN", {"role \"a\\nb\""}},
    {"D1",
     "CREATE TABLE keyless (a int)",
     "",
     "FAIL",
     {"public.keyless", "ALTER TABLE public.keyless REPLICA IDENTITY FULL;"}},
    {"D1",
     "CREATE TABLE candidate (a int NOT NULL, b int NOT NULL UNIQUE)",
     "",
     "FAIL",
     {"ALTER TABLE public.candidate REPLICA IDENTITY USING INDEX candidate_b_key;"}},
    {"D1",
     "CREATE TABLE nothing (a int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING",
     "",
     "FAIL",
     {"public.nothing"}},
    {"D1", "CREATE TABLE late_key (a int PRIMARY KEY DEFERRABLE)", "", "FAIL", {"public.late_key"}},
    {"D1",
     "CREATE TABLE cut_key (a int, b int GENERATED ALWAYS AS (a) STORED PRIMARY KEY)",
     "",
     "FAIL",
     {"public.cut_key", "ALTER TABLE public.cut_key REPLICA IDENTITY FULL;"}},
    {"D3",
     "CREATE TABLE all_of_it (a int); ALTER TABLE all_of_it REPLICA IDENTITY FULL;"
     "INSERT INTO all_of_it SELECT generate_series(1, 20000); ANALYZE all_of_it",
     "",
     "WARN",
     {"public.all_of_it (about 20000 rows)"}},
    {"D4",
     "CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY)",
     "",
     "WARN",
     {"unlogged table public.scratch", "ALTER TABLE public.scratch SET LOGGED;"}},
    {"D4",
     "CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;"
     "CREATE FOREIGN TABLE distant (a int) SERVER away",
     "",
     "WARN",
     {"foreign table public.distant"}},
    {"E5", "", "", "WARN", {"server away of postgres_fdw"}},
    {"D6",
     "CREATE TABLE computed (a int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
     " b int GENERATED ALWAYS AS (a + 1) STORED)",
     "",
     "INFO",
     {"public.computed.a is GENERATED ALWAYS", "public.computed.b is generated"}},
    {"D7",
     "CREATE TABLE two_keys (a int PRIMARY KEY, b int UNIQUE)",
     "",
     "INFO",
     {"public.two_keys"}},
    {"D8",
     "CREATE TABLE patient (a int PRIMARY KEY, b int UNIQUE DEFERRABLE)",
     "",
     "INFO",
     {"patient_b_key of public.patient"}},
    {"D10",
     "CREATE FUNCTION noop() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
     "CREATE EVENT TRIGGER watcher ON sql_drop EXECUTE FUNCTION noop();"
     "ALTER EVENT TRIGGER watcher ENABLE ALWAYS",
     "",
     "WARN",
     {"watcher on sql_drop", "ALTER EVENT TRIGGER watcher ENABLE;"}},
    {"D13",
     "CREATE TABLE \"Case\" (a int PRIMARY KEY); CREATE TABLE \"case\" (a int PRIMARY KEY)",
     "",
     "WARN",
     {"public.\"Case\", public.\"case\""}},
    {"D14",
     "CREATE EXTENSION hstore; CREATE TABLE typed (a int PRIMARY KEY, h hstore)",
     "",
     "INFO",
     {"public.typed.h is public.hstore of hstore"}},
    {"D16", "CREATE TABLE texts (t text PRIMARY KEY)", "", "INFO", {"public.texts.t is text"}},
    {"E1", "CREATE SEQUENCE lonely", "", "INFO", {"sequences"}},
    {"E2",
     "CREATE TABLE narrow (id int PRIMARY KEY); CREATE SEQUENCE wide OWNED BY narrow.id;"
     "SELECT setval('wide', 2147483600)",
     "",
     "WARN",
     {"public.wide is at 2147483600 of 2147483647",
      "ALTER TABLE public.narrow ALTER id TYPE bigint;"}},
    {"E2",
     "CREATE SEQUENCE lone AS int; SELECT setval('lone', 2147483600)",
     "",
     "WARN",
     {"public.lone is at 2147483600 of 2147483647 (100.0 %)\nALTER SEQUENCE public.lone AS bigint "
      "NO MAXVALUE;"}},
    {"E3", "SELECT lo_create(0)", "", "WARN", {"1 large objects"}},
    {"E4",
     "CREATE MATERIALIZED VIEW sums AS SELECT 1 AS one",
     "",
     "INFO",
     {"REFRESH MATERIALIZED VIEW public.sums;"}},
    {"E6", "CREATE EXTENSION adminpack", "", "FAIL", {"adminpack", "CREATE EXTENSION adminpack;"}},
    {"F1",
     "BEGIN; INSERT INTO two_keys VALUES (1, 1); PREPARE TRANSACTION 'pending one'",
     "",
     "FAIL",
     {"'pending one'", "ROLLBACK PREPARED 'pending one';"}},
    {"G1",
     "CREATE TABLE references_objects (a int PRIMARY KEY, c regclass, o oid)",
     "",
     "INFO",
     {"public.references_objects.c is regclass", "public.references_objects.o is oid"}},
    {"G2",
     "CREATE TABLE system_types (a int PRIMARY KEY, s information_schema.sql_identifier)",
     "",
     "WARN",
     {"public.system_types.s is"}},
    {"G8",
     "CREATE FUNCTION in_c() RETURNS trigger LANGUAGE c AS '$libdir/refint', 'check_primary_key'",
     "",
     "WARN",
     {"$libdir/refint"}},
    {"G10",
     "CREATE TABLE parent (id int PRIMARY KEY, v int NOT NULL);"
     "CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent); ALTER TABLE child ALTER v DROP NOT "
     "NULL",
     "",
     "FAIL",
     {"public.child.v", "ALTER TABLE public.child ALTER v SET NOT NULL;"}},
    {"G16",
     "CREATE INDEX broken ON candidate (a);"
     "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
     "",
     "WARN",
     {"index public.broken is invalid", "REINDEX INDEX CONCURRENTLY public.broken;"}},
    {"G16",
     "ALTER TABLE candidate ADD CONSTRAINT unproven CHECK (a > 0) NOT VALID",
     "",
     "WARN",
     {"unproven of public.candidate", "VALIDATE CONSTRAINT unproven;"}},
    {"B9",
     "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 7000',"
     " current_database()); END $$",
     "",
     "INFO",
     {"statement_timeout=7000"}},
    {"B9",
     "ALTER ROLE ALL SET lock_timeout = 7000",
     "",
     "INFO",
     {"lock_timeout=7000 for all roles\nALTER ROLE ALL RESET lock_timeout;"}},
    {"B13",
     "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7', current_database()); END "
     "$$",
     "",
     "FAIL",
     {"allows 7 connections", "CONNECTION LIMIT -1;"}},
    {"C9",
     "CREATE ROLE only_on_blue LOGIN BYPASSRLS; ALTER TABLE candidate OWNER TO only_on_blue",
     "",
     "FAIL",
     {"CREATE ROLE only_on_blue LOGIN BYPASSRLS;"}},
};

const std::vector<Fault> kGreenFaults = {
    {"D9",
     "",
     "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
     "CREATE TABLE has_trigger (a int PRIMARY KEY); CREATE TRIGGER loud BEFORE INSERT ON "
     "has_trigger FOR EACH ROW EXECUTE FUNCTION loud(); ALTER TABLE has_trigger ENABLE ALWAYS "
     "TRIGGER loud",
     "WARN",
     {"trigger loud of public.has_trigger is ENABLE ALWAYS",
      "ALTER TABLE public.has_trigger ENABLE TRIGGER loud;"}},
    {"D9",
     "",
     "CREATE RULE swallow AS ON INSERT TO has_trigger DO INSTEAD NOTHING;"
     "ALTER TABLE has_trigger ENABLE REPLICA RULE swallow",
     "WARN",
     {"rule swallow of public.has_trigger is ENABLE REPLICA"}},
    {"D11", "", "CREATE INDEX slow ON has_trigger (a)", "WARN", {"DROP INDEX public.slow;"}},
    {"D12",
     "CREATE TABLE filled (a int PRIMARY KEY)",
     "CREATE TABLE filled (a int PRIMARY KEY); INSERT INTO filled VALUES (1)",
     "FAIL",
     {"public.filled", "TRUNCATE public.filled;"}},
    {"F1",
     "",
     "BEGIN; INSERT INTO filled VALUES (2); PREPARE TRANSACTION 'green one'",
     "WARN",
     {"'green one'"}},
    {"F5", "", "SELECT pg_replication_origin_create('stray')", "WARN", {"origin 'stray'"}},
};

TEST_F(CheckFaults, WhatIsWrongOnBlueIsFoundBeforeADeploymentExists) {
  Plant(db_, kBlueFaults);
  const auto check = RunCheck(db_, {});
  EXPECT_EQ(check.exit_code, 3);
  ExpectFound(check, kBlueFaults);
  blue().Exec("ROLLBACK PREPARED 'pending one'");
  blue().Exec("ALTER ROLE ALL RESET lock_timeout");
  blue().Exec("DROP TABLE provided; DROP ROLE rdsadmin; DROP ROLE \"a\nb\"");
}

TEST_F(CheckFaults, WhatIsWrongOnGreenIsFoundBeforeADeploymentExists) {
  Plant(db_, kGreenFaults);
  ExpectFound(RunCheck(db_, {"--copy", "data"}), kGreenFaults);
  const auto all = RunCheck(db_, {"--only", "D12"});
  EXPECT_EQ(all.exit_code, 3);
  EXPECT_THAT(all.Findings("D12"), HasSubstr("public.has_trigger"));
  EXPECT_EQ(RunCheck(db_, {"--only", "D12", "--copy", "none"}).exit_code, 0);
}

// As run --copy data has it.
TEST_F(CheckFaults, TablesThatAreNotCopiedMayHaveRowsAndThoseWithoutRowsMayHavePages) {
  ExecBoth(
      "CREATE TABLE emptied (a int PRIMARY KEY); CREATE TABLE parts (a int PRIMARY KEY) PARTITION"
      " BY LIST (a); CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);"
      "CREATE TABLE left_out (a int PRIMARY KEY)");
  green().Exec("INSERT INTO emptied VALUES (1)");
  green().Exec(
      "DELETE FROM emptied; CREATE TABLE own (a int PRIMARY KEY); INSERT INTO own VALUES (1);"
      "INSERT INTO left_out VALUES (1)");
  const auto ask = [this] {
    const auto check = RunCheck(db_, {"--only", "D12", "--copy", "data"});
    return check.Outcomes("D12") + " " + check.Findings("D12");
  };
  EXPECT_EQ(ask(), "FAIL public.left_out\nTRUNCATE public.left_out;\n");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE emptied, parts");
  EXPECT_EQ(ask(), "PASS ");
  blue().Exec("ALTER PUBLICATION pgteal SET (publish_via_partition_root = true)");
  green().Exec("INSERT INTO parts VALUES (1)");
  EXPECT_EQ(ask(), "FAIL public.parts\nTRUNCATE public.parts;\n");
}

TEST_F(CheckFaults, ADefaultCollationOfAnotherVersionIsFound) {
  green().Exec("CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de'");
  const auto ask = [this] {
    return ReadCheck(*db_.PgtealVia(db_.clusters().green().ConnInfo("sorted"), db_.BlueInfo(),
                                    {"check", "--json", "--only", "G12", "--side", "blue"}));
  };
  EXPECT_EQ(ask().Outcomes("G12"), "PASS PASS");
  green().Exec("UPDATE pg_database SET datcollversion = '0' WHERE datname = 'sorted'");
  const auto check = ask();
  EXPECT_EQ(check.Outcomes("G12"), "PASS WARN");
  EXPECT_THAT(check.Findings("G12"), HasSubstr("database sorted is recorded as 0 and is "));
  EXPECT_THAT(check.Findings("G12"), HasSubstr("ALTER DATABASE sorted REFRESH COLLATION VERSION;"));
  green().Exec("DROP DATABASE sorted");
}

// As is for UPDATE and DELETE on PostgreSQL 18.
TEST_F(CheckFaults, WhatAPublicationLeavesOutOfAnIdentityIsFound) {
  green().Exec(
      "CREATE TABLE f(a int NOT NULL, b int GENERATED ALWAYS AS (a) STORED);"
      "ALTER TABLE f REPLICA IDENTITY FULL;"
      "CREATE TABLE k(a int NOT NULL, b int GENERATED ALWAYS AS (a) STORED PRIMARY KEY);"
      "CREATE TABLE u(a int UNIQUE NOT NULL, b int GENERATED ALWAYS AS (a) STORED PRIMARY KEY);"
      "CREATE TABLE sound(a int PRIMARY KEY, b int GENERATED ALWAYS AS (a) STORED)");
  const auto ask = [this] {
    return ReadCheck(*db_.PgtealVia(db_.GreenInfo(), db_.BlueInfo(),
                                    {"check", "--json", "--only", "D1", "--side", "blue"}))
        .Findings("D1");
  };
  const std::string index =
      "public.u\nALTER TABLE public.u REPLICA IDENTITY USING INDEX u_a_key;\n";
  std::string fix =
      "CREATE PUBLICATION pgteal FOR ALL TABLES WITH (publish_generated_columns = stored);\n";
  EXPECT_EQ(ask(), "public.f\n" + fix + "public.k\n" + fix + index);
  green().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES");
  fix = "ALTER PUBLICATION pgteal SET (publish_generated_columns = stored);\n";
  EXPECT_EQ(ask(), "public.f\n" + fix + "public.k\n" + fix + index);
  green().Exec(fix +
               "INSERT INTO f VALUES (1); INSERT INTO k VALUES (1); INSERT INTO u VALUES (1)");
  EXPECT_EQ(ask(), "");
  green().Exec("UPDATE f SET a = 2; UPDATE k SET a = 2; UPDATE u SET a = 2");
}

TEST_F(CheckFaults, WhatSessionsDoOnBlueIsFound) {
  blue().Exec("CREATE TABLE t (a int PRIMARY KEY)");
  blue().Exec("SELECT pg_create_logical_replication_slot('other_tool', 'test_decoding')");
  Sql busy = db_.clusters().blue().Connect(db_.name());
  busy.Exec("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_advisory_lock(1)");
  const auto check =
      RunCheck(db_, {"--phase", "switchover", "--only", "F2,F3,F4,E10", "--long-transaction", "0"});
  EXPECT_EQ(check.exit_code, 3);
  const std::string pid = std::to_string(busy.backend_pid());
  EXPECT_EQ(check.Outcomes("F2"), "FAIL");
  EXPECT_THAT(check.Findings("F2"), HasSubstr("pg_terminate_backend(" + pid + ")"));
  EXPECT_EQ(check.Outcomes("F3"), "FAIL");
  EXPECT_THAT(check.Findings("F3"), HasSubstr("holds AccessExclusiveLock on public.t"));
  EXPECT_EQ(check.Outcomes("F4"), "FAIL");
  EXPECT_THAT(check.Findings("F4"), HasSubstr("slot other_tool (test_decoding)"));
  EXPECT_EQ(check.Outcomes("E10"), "INFO");
  // A slot would have to wait for it, so it is not probed.
  busy.Exec("INSERT INTO t VALUES (1)");
  const auto probe = RunCheck(db_, {"--only", "B11"});
  EXPECT_EQ(probe.Outcomes("B11"), "SKIPPED");
  EXPECT_THAT(probe.Findings("B11"), HasSubstr("waits for the transactions"));
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots WHERE temporary"), "0");
}

TEST_F(CheckFaults, ServersThatDoNotFitAreFound) {
  const auto same = ReadCheck(
      *db_.PgtealVia(db_.BlueInfo(), db_.BlueInfo(), {"check", "--json", "--only", "A3"}));
  EXPECT_EQ(same.exit_code, 3);
  EXPECT_THAT(same.Findings("A3"), HasSubstr("the same database"));
  const auto older = ReadCheck(
      *db_.PgtealVia(db_.GreenInfo(), db_.BlueInfo(), {"check", "--json", "--only", "A2"}));
  EXPECT_EQ(older.exit_code, 3);
  EXPECT_THAT(older.Findings("A2"), HasSubstr("blue is PostgreSQL 18, green is 14"));
  green().Exec("CREATE DATABASE other TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
  const auto other =
      ReadCheck(*db_.PgtealVia(db_.BlueInfo(), db_.clusters().green().ConnInfo("other"),
                               {"check", "--json", "--only", "A6"}));
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_THAT(other.Findings("A6"), HasSubstr("encoding is UTF8 on blue, SQL_ASCII on green"));
  EXPECT_THAT(other.Findings("A6"), HasSubstr("LC_COLLATE is C.UTF-8 on blue, C on green"));
  green().Exec("DROP DATABASE other");
}

TEST(CheckSettings, ServersThatAreSetUpWrongAreFound) {
  ClusterPair clusters({18, 18},
                       {{"wal_level", "replica"},
                        {"max_wal_senders", "1"},
                        {"max_replication_slots", "2"},
                        {"wal_sender_timeout", "5s"},
                        {"max_slot_wal_keep_size", "1GB"},
                        {"logical_decoding_work_mem", "1MB"},
                        {"synchronous_standby_names", "one"},
                        {"synchronous_commit", "local"},
                        {"idle_replication_slot_timeout", "1h"},
                        {"shared_preload_libraries", "auto_explain"}},
                       {{"wal_level", "replica"}});
  clusters.blue().Set("max_connections", "50");
  clusters.blue().Reload();
  DatabasePair db(clusters);
  db.blue().Exec(
      "SELECT pg_create_physical_replication_slot('a'), pg_create_physical_replication_slot('b')");
  ASSERT_TRUE(WaitUntil(
      [&] {
        return db.blue().Scalar("SELECT count(*) FROM pg_settings WHERE pending_restart") == "1";
      },
      std::chrono::seconds(30)));
  const auto check = RunCheck(db, {});
  EXPECT_EQ(check.exit_code, 3);
  ExpectFound(check, {{"B1", "", "", "FAIL", {"wal_level = replica", "ALTER SYSTEM SET wal_level"}},
                      {"B2", "", "", "FAIL", {"all 2 replication slots"}},
                      {"B3", "", "", "FAIL", {"0 of 1 WAL senders"}},
                      {"B4", "", "", "WARN", {"max_wal_senders = 1"}},
                      {"B5", "", "", "WARN", {"max_slot_wal_keep_size = 1024 MB"}},
                      {"B6", "", "", "WARN", {"idle_replication_slot_timeout = 1h"}},
                      {"B7", "", "", "WARN", {"wal_sender_timeout = 5000 ms"}},
                      {"B8", "", "", "INFO", {"logical_decoding_work_mem = 1024 kB"}},
                      {"B12", "", "", "WARN", {"max_connections is changed"}},
                      {"B14", "", "", "WARN", {"synchronous_standby_names = one"}},
                      {"E7", "", "", "WARN", {"auto_explain"}},
                      {"H10", "", "", "WARN", {"wal_level = replica", "restart green"}}});
  EXPECT_EQ(check.Outcomes("B11"), "SKIPPED");
  db.blue().Exec("SELECT pg_drop_replication_slot('a'), pg_drop_replication_slot('b')");
}

class CheckRunning : public PairTest {
 protected:
  CheckRunning() : PairTest({16, 18}) {
    ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)");
  }
  void Deploy() {
    auto run = db_.Pgteal({"run", "--copy", "data", "--until-caught-up"});
    ASSERT_EQ(run->WaitExit(), 0) << run->Log();
  }
};

TEST_F(CheckRunning, APublicationThatIsNotWholeIsFound) {
  Deploy();
  blue().Exec("DROP PUBLICATION pgteal");
  EXPECT_THAT(RunCheck(db_, {"--only", "D17"}).Findings("D17"), HasSubstr("does not exist"));
  blue().Exec(
      "CREATE PUBLICATION pgteal FOR TABLE t (id) WHERE (id > 1) WITH (publish = 'insert, update',"
      " publish_via_partition_root = true)");
  const auto check = RunCheck(db_, {"--phase", "switchover"});
  EXPECT_EQ(check.exit_code, 3);
  ExpectFound(
      check,
      {{"D17", "", "", "FAIL", {"leaves out DELETE, TRUNCATE"}},
       {"D20", "", "", "FAIL", {"public.u is not in the pub"}},
       {"D20", "", "", "FAIL", {"ALTER PUBLICATION \"pgteal\" ADD TABLE ONLY public.u;"}},
       {"D18", "", "", "FAIL", {"public.t has a row filter and a column list"}},
       {"D18",
        "",
        "",
        "FAIL",
        {"pgteal DROP TABLE ONLY public.t; ALTER PUBLICATION pgteal ADD TABLE ONLY public.t;"}},
       {"D5", "", "", "INFO", {"publish_via_partition_root"}},
       {"H3", "", "", "FAIL", {"nobody reads slot pgteal"}}});
}

TEST_F(CheckRunning, TablesLeftOutOnPurposeAreAWarning) {
  auto run = db_.Pgteal({"run", "--copy", "data", "--exclude-table", "u", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(), 0) << run->Log();
  const auto check = RunCheck(db_, {"--phase", "switchover", "--only", "D17,D20"});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_EQ(check.Outcomes("D17") + " " + check.Outcomes("D20"), "PASS WARN");
}

TEST_F(CheckRunning, ADeploymentThatIsNotWhatItWasIsFound) {
  Deploy();
  ExecBoth("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t WITH NO DATA");
  blue().Exec("REFRESH MATERIALIZED VIEW m");
  green().Exec("INSERT INTO t VALUES (1, 'x')");
  green().Exec("UPDATE pgteal.deployment SET source_system_identifier = '7'");
  blue().Exec("CREATE INDEX t_v ON t (v)");
  Sql writer = db_.clusters().green().Connect(db_.name());
  writer.Exec("BEGIN READ WRITE; INSERT INTO t VALUES (2, 'y')");
  const std::string writer_pid = "process " + std::to_string(writer.backend_pid());
  blue().Exec("SELECT pg_drop_replication_slot('pgteal')");
  const auto check = RunCheck(db_, {"--phase", "switchover"});
  EXPECT_EQ(check.exit_code, 3);
  ExpectFound(check, {{"A3", "", "", "FAIL", {"it began with database"}},
                      {"E4", "", "", "WARN", {"REFRESH MATERIALIZED VIEW public.m;"}},
                      {"H1", "", "", "FAIL", {"slot pgteal does not exist"}},
                      {"H4", "", "", "FAIL", {writer_pid.c_str()}},
                      {"H8", "", "", "WARN", {"ANALYZE public.t;"}},
                      {"H9", "", "", "FAIL", {"index public.t_v is missing on green"}}});
  green().Exec("UPDATE pgteal.deployment SET state = 'copying'");
  EXPECT_THAT(RunCheck(db_, {"--phase", "switchover", "--only", "H12"}).Findings("H12"),
              HasSubstr("is in state 'copying'"));
}

TEST_F(CheckRunning, DriftIsWhatTheCatalogsSayNotWhatTheGuardNoticedLast) {
  Deploy();
  const auto drift = [this] {
    return RunCheck(db_, {"--phase", "switchover", "--only", "H9"}).Outcomes("H9");
  };
  ASSERT_EQ(drift(), "PASS");
  blue().Exec("CREATE INDEX t_v ON t (v)");
  EXPECT_EQ(drift(), "FAIL");
  green().Exec(
      "CREATE INDEX t_v ON t (v); UPDATE pgteal.deployment SET state = 'degraded';"
      "INSERT INTO pgteal.event (deployment, kind, detail) VALUES ('pgteal', 'ddl', 'table x')");
  EXPECT_EQ(drift(), "PASS");
}

}  // namespace
}  // namespace pgteal::tests
