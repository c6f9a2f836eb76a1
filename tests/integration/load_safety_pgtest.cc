#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class LoadSafety : public PairTest {
 protected:
  void ExpectRefused(const std::vector<std::string>& args, const std::string& reason) {
    const auto run = db_.Pgteal(args);
    EXPECT_EQ(run->WaitExit(), 3);
    EXPECT_THAT(run->Log(), HasSubstr(reason));
  }
  void ExpectLoaded(PgtealProcess& run) {
    ASSERT_TRUE(run.WaitForLog("sequences set", seconds(60)));
    blue().Exec("SELECT pg_logical_emit_message(true, 'test', 'mark')");
    ASSERT_TRUE(db_.WaitCaughtUp(seconds(60)));
  }
};

TEST_F(LoadSafety, AGreenThatHoldsSomethingElseIsRefused) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ExpectRefused({"run"}, "green is not empty");
  green().Exec("INSERT INTO t VALUES (1)");
  ExpectRefused({"run", "--copy", "data"}, "hold rows that pgteal did not write");
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
  const auto run = db_.PgtealVia("", db_.BlueInfo(), {"run"});
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("same database"));
}

TEST_F(LoadSafety, OneProcessStartsADeployment) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  // As the other one does while it has not got as far as the deployment's row.
  green().Exec("SELECT pg_advisory_lock(hashtext('pgteal start'), hashtext('pgteal'))");
  ExpectRefused({"run", "--copy", "data"}, "another process is starting deployment pgteal");
  ExpectRefused({"run", "--copy", "none"}, "another process is starting deployment pgteal");
  EXPECT_EQ(green().Scalar("SELECT to_regnamespace('pgteal') IS NULL"), "t");
  green().Exec("SELECT pg_advisory_unlock_all()");
  const auto run = db_.Pgteal({"run", "--copy", "data", "--until-caught-up"});
  EXPECT_EQ(run->WaitExit(), 0) << run->Log();
}

TEST_F(LoadSafety, MissingRolesAreNamedUnlessTheyDoNotMatter) {
  const std::string role = "owner_" + db_.name();
  blue().Exec("CREATE ROLE " + role);
  blue().Exec("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO " + role);
  ExpectRefused({"run"}, role);
  const auto run = db_.Pgteal({"run", "--no-owner", "--no-privileges"});
  ExpectLoaded(*run);
  EXPECT_EQ(green().Scalar("SELECT tableowner FROM pg_tables WHERE tablename = 't'"), "postgres");
  blue().Exec("REASSIGN OWNED BY " + role + " TO postgres; DROP ROLE " + role);
}

TEST_F(LoadSafety, TablesWithoutAnIdentityAreRefusedOrGivenOne) {
  blue().Exec(
      "CREATE TABLE bare (a int); CREATE TABLE indexed (a int NOT NULL UNIQUE);"
      "INSERT INTO bare VALUES (1); INSERT INTO indexed VALUES (1)");
  ExpectRefused({"run"}, "ALTER TABLE \"public\".\"indexed\" REPLICA IDENTITY USING INDEX");
  const auto run = db_.Pgteal({"run", "--set-replica-identity"});
  ExpectLoaded(*run);
  blue().Exec("UPDATE bare SET a = 2; UPDATE indexed SET a = 2");
  ExpectCaughtUpAndEqual();
}

// A publication of all tables has them, too.
TEST_F(LoadSafety, TablesOfExtensionsWithoutAnIdentityAreRefusedUnlessTheyAreLeftOut) {
  blue().Exec(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE EXTENSION citext; CREATE TABLE x (a int);"
      "ALTER EXTENSION citext ADD TABLE x");
  ExpectRefused({"run"}, "published, or not tell rows apart: public.x");
  const auto run = db_.Pgteal({"run", "--exclude-table", "x"});
  ASSERT_NO_FATAL_FAILURE(ExpectLoaded(*run)) << run->Log();
  EXPECT_EQ(blue().Failure("INSERT INTO x VALUES (1); UPDATE x SET a = 2"), "");
}

TEST_F(LoadSafety, GreenIsReadOnlyForOthers) {
  blue().Exec("CREATE TABLE t (id int PRIMARY KEY)");
  const auto run = db_.Pgteal({"run"});
  ExpectLoaded(*run);
  Sql application = db_.clusters().green().Connect(db_.name());
  EXPECT_EQ(application.Failure("INSERT INTO t VALUES (1)"), "25006");
  blue().Exec("INSERT INTO t VALUES (1)");
  ExpectCaughtUpAndEqual();
}

// Whether or not the session that makes it so outlives the process.
TEST_F(LoadSafety, AStartThatIsKilledLeavesGreenReadOnlyInTheEndAndCleanupPutsItBack) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string waiters =
      "FROM pg_locks WHERE NOT granted AND relation = 'pg_db_role_setting'::regclass";
  for (const bool is_ended : {true, false}) {
    Sql holder = db_.clusters().green().Connect(db_.name());
    holder.Exec("BEGIN; LOCK TABLE pg_db_role_setting IN SHARE MODE");
    const auto killed = db_.Pgteal({"run", "--copy", "none"});
    ASSERT_TRUE(WaitUntil([&] { return green().Scalar("SELECT count(*) " + waiters) == "1"; },
                          seconds(30)));
    killed->Kill9();
    const std::string pid = green().Scalar("SELECT pid " + waiters);
    if (is_ended) green().Exec("SELECT pg_terminate_backend(" + pid + ", 10000)");
    holder.Exec("ROLLBACK");
    const std::string is_there = "SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid;
    ASSERT_TRUE(WaitUntil([&] { return green().Scalar(is_there) == "0"; }, seconds(30)));
    const auto run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up"});
    ASSERT_EQ(run->WaitExit(), 0) << run->Log();
    Sql application = db_.clusters().green().Connect(db_.name());
    EXPECT_EQ(application.Failure("INSERT INTO t VALUES (1)"), "25006") << is_ended;
    ASSERT_EQ(db_.Pgteal({"cleanup"})->WaitExit(), 0);
    EXPECT_EQ(db_.clusters().green().Connect(db_.name()).Scalar(
                  "SHOW default_transaction_read_only"),
              "off")
        << is_ended;
  }
}

TEST_F(LoadSafety, ATableThatIsPublishedAfterPrepareHasNotAllItsRowsOnGreen) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE n (id int PRIMARY KEY)");
  ASSERT_EQ(db_.Pgteal({"prepare", "--include-table", "t"})->WaitExit(), 0);
  const std::string snapshot = blue().Scalar("SELECT pg_current_wal_lsn()");
  blue().Exec("INSERT INTO n VALUES (1)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY n");
  const auto run =
      db_.Pgteal({"run", "--copy", "none", "--start-lsn", snapshot, "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(), 0) << run->Log();
  const auto check = db_.Pgteal({"check", "--only", "H9"});
  EXPECT_EQ(check->WaitExit(), 3) << check->Stdout();
  EXPECT_THAT(check->Stdout(), HasSubstr("public.n"));
  EXPECT_THAT(check->Stdout(), testing::Not(HasSubstr("public.t")));
  ASSERT_EQ(db_.Pgteal({"cleanup"})->WaitExit(), 0);
  EXPECT_EQ(blue().Scalar("SELECT to_regnamespace('pgteal') IS NULL"), "t");
}

TEST_F(LoadSafety, ExtensionsAndEncodingsThatGreenCannotHaveAreNamed) {
  // In PostgreSQL 15, gone in 17.
  blue().Exec("CREATE EXTENSION old_snapshot");
  ExpectRefused({"run"}, "green's server lacks extensions: old_snapshot");
  blue().Exec("DROP EXTENSION old_snapshot");
  const std::string latin = db_.name() + "_latin";
  auto& server = db_.clusters().green();
  server.Connect().Exec("CREATE DATABASE " + latin +
                        " ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const auto run = db_.PgtealVia("", server.ConnInfo(latin), {"run"});
  EXPECT_EQ(run->WaitExit(), 3);
  EXPECT_THAT(run->Log(), HasSubstr("blue's encoding is UTF8, green's is LATIN1"));
  server.Connect().Exec("DROP DATABASE " + latin);
}

TEST_F(LoadSafety, BytesOfNoEncodingAreCopiedStreamedAndComparedAsTheyAre) {
  for (auto* server : {&db_.clusters().blue(), &db_.clusters().green()}) {
    server->admin().Exec("DROP DATABASE " + db_.name());
    server->admin().Exec("CREATE DATABASE " + db_.name() +
                         " ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
  }
  blue().Exec(
      "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, E'caf\\351');"
      "CREATE TABLE k (id text PRIMARY KEY); INSERT INTO k VALUES (E'caf\\351')");
  const auto run = db_.Pgteal({"run"});
  ASSERT_NO_FATAL_FAILURE(ExpectLoaded(*run)) << run->Log();
  blue().Exec("UPDATE t SET v = v || E'\\352'; INSERT INTO t VALUES (2, E'\\377')");
  ASSERT_TRUE(db_.WaitCaughtUp()) << run->Log();
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(green().Scalar("SELECT encode(v::bytea, 'hex') FROM t WHERE id = 1"), "636166e9ea");
  const auto verify = db_.Pgteal({"verify"});
  EXPECT_EQ(verify->WaitExit(seconds(30)), 0) << verify->Log();
  green().Exec("DELETE FROM k");
  const auto report = db_.Pgteal({"verify", "--json"});
  EXPECT_EQ(report->WaitExit(seconds(30)), 4) << report->Log();
  EXPECT_EQ(nlohmann::json::parse(report->Stdout()).at("differences"), 1);
}

TEST_F(LoadSafety, AProgramThatWritesOnGreenIsReported) {
  blue().Exec("CREATE TABLE t (id int PRIMARY KEY)");
  const auto run = db_.Pgteal({"run"});
  ExpectLoaded(*run);
  Sql stranger(db_.GreenInfo() + " application_name=importer");
  stranger.Exec("SET default_transaction_read_only = off");
  stranger.Exec("BEGIN; INSERT INTO t VALUES (100)");
  EXPECT_TRUE(run->WaitForLog("somebody else writes on green")) << run->Log();
  EXPECT_THAT(run->Log(), HasSubstr("application importer"));
  EXPECT_TRUE(WaitUntil(
      [this] {
        return green().Scalar("SELECT count(*) FROM pgteal.event WHERE kind = 'foreign_writer'") ==
               "1";
      },
      std::chrono::seconds(20)));
  stranger.Exec("ROLLBACK");
}

TEST_F(LoadSafety, PatternsChooseTheTablesAndTheSchemaIsWhole) {
  blue().Exec(
      "CREATE TABLE keep_1 (id int PRIMARY KEY); CREATE TABLE keep_2 (id int PRIMARY KEY);"
      "CREATE TABLE leave (id int PRIMARY KEY); INSERT INTO keep_1 VALUES (1);"
      "INSERT INTO keep_2 VALUES (2); INSERT INTO leave VALUES (3)");
  const auto run = db_.Pgteal({"run", "--include-table", "public.*", "--exclude-table", "leave"});
  ExpectLoaded(*run);
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM keep_1, keep_2"), "1");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM leave"), "0");
  EXPECT_THAT(run->Log(), HasSubstr("not in the publication (created empty): public.leave"));
}

TEST_F(LoadSafety, APatternThatNamesNothingIsRefusedBeforeAnythingIsMade) {
  blue().Exec("CREATE TABLE orders (id int PRIMARY KEY); CREATE UNLOGGED TABLE scratch (id int)");
  const std::vector<std::vector<std::string>> refused = {
      {"--include-table", "ordres"},
      {"--include-table", "orders", "--include-table", "scratch"},
      {"--exclude-table", "public.ordres"},
      {"--exclude-table", "orders"}};
  for (const auto& patterns : refused) {
    std::vector<std::string> args = {"run"};
    args.insert(args.end(), patterns.begin(), patterns.end());
    const auto run = db_.Pgteal(args);
    EXPECT_EQ(run->WaitExit(), 2);
    EXPECT_THAT(run->Log(), HasSubstr(patterns.front())) << run->Log();
    EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_publication"), "0");
  }
  const auto run = db_.Pgteal({"run", "--exclude-table", "scratch", "--until-caught-up"});
  EXPECT_EQ(run->WaitExit(), 0) << run->Log();
}

TEST_F(LoadSafety, ThePublicationOfTheUserDecidesRowsAndColumns) {
  blue().Exec(
      "CREATE TABLE t (id int PRIMARY KEY, a int, secret text);"
      "INSERT INTO t SELECT g, g, 'secret' FROM generate_series(1, 10) g;"
      "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY LIST (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1, 'one');"
      "CREATE PUBLICATION pgteal FOR TABLE t (id, a) WHERE (id > 5), p"
      " WITH (publish_via_partition_root)");
  const auto run = db_.Pgteal({"run"});
  ExpectLoaded(*run);
  EXPECT_EQ(green().Scalar("SELECT count(*) || ' ' || count(secret) FROM t"), "5 0");
  EXPECT_EQ(green().Scalar("SELECT v FROM p1"), "one");
}

TEST_F(LoadSafety, TwoThousandTables) {
  // In pieces: the locks of one transaction are limited.
  for (int piece = 0; piece < 20; ++piece) {
    blue().Exec("DO $$ BEGIN FOR i IN " + std::to_string(piece * 100) + ".." +
                std::to_string(piece * 100 + 99) +
                " LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text)', i);"
                " EXECUTE format('INSERT INTO t%s VALUES (1, ''x'')', i); END LOOP; END $$");
  }
  const auto began = std::chrono::steady_clock::now();
  const auto run = db_.Pgteal({"run", "--jobs", "2"});
  ASSERT_TRUE(run->WaitForLog("sequences set", seconds(240)));
  const auto took =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began);
  std::cout << "ms per table: " << took.count() / 2000 << "\n";
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.table_state WHERE phase = 'ready'"),
            "2000");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND"
                           " connamespace = 'public'::regnamespace"),
            "2000");
}

}  // namespace
}  // namespace pgteal::tests
