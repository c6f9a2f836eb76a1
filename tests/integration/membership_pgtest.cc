#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/membership_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

TEST_F(Membership, ATableThatIsAddedWhileTheLoadIsAtWorkHasToBeReloaded) {
  green().Exec("TRUNCATE t");
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
  auto run = db_.Pgteal({"run", "--copy", "data", "--include-table", "t", "--until-caught-up"});
  ASSERT_TRUE(run->WaitForLog("green prepared")) << run->Log();
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); INSERT INTO n VALUES (1), (2)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY n");
  db_.GreenWriter().Exec("CREATE TABLE n (id int PRIMARY KEY)");
  holder.Exec("ROLLBACK");
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("n"));
  EXPECT_THAT(Ask().Findings("H9"), testing::Not(HasSubstr("public.t ")));
  ASSERT_NO_FATAL_FAILURE(Reload("n"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// The two may even bear the same name.
TEST_F(Membership, WhatGreenHasStaysKnownWhenItIsPreparedAsTheBlueOfAnotherDeployment) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const auto prepare = db_.PgtealVia(db_.GreenInfo(), "", {"prepare", "--include-table", "t"});
  ASSERT_EQ(prepare->WaitExit(), 0) << prepare->Log();
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  DatabasePair third(db_.clusters());
  third.green().Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  const auto via = [&](const Args& args) {
    return db_.PgtealVia(db_.GreenInfo(), third.GreenInfo(), args);
  };
  const auto run = via({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(), 0) << run->Log();
  const auto check = ReadCheck(*via({"check", "--json", "--phase", "switchover", "--only", "H9"}));
  EXPECT_EQ(check.Outcomes("H9"), "PASS") << check.Findings("H9");
}

// As an older pgteal kept it: among what a green has.
TEST_F(Membership, WhatAnOlderPgtealPreparedIsTakenOver) {
  const auto prepare = db_.Pgteal({"prepare", "--include-table", "t"});
  ASSERT_EQ(prepare->WaitExit(), 0) << prepare->Log();
  blue().Exec("UPDATE pgteal.schema_baseline SET kind = 'complete table'");
  blue().Exec("INSERT INTO h VALUES (2); ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
}

TEST_F(Membership, ATableThatLeftAndCameBackBetweenTwoLooksHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h");
  blue().Exec("INSERT INTO h VALUES (2)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  ExpectBehind("h");
  // Not only before the next look.
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// Somebody rewrites it for hours: neither what it holds nor how large it is may be waited for.
TEST_F(Membership, ATableThatIsLockedOnBlueKeepsNoStreamFromItsStart) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  Sql holder(db_.BlueInfo());
  holder.Exec("BEGIN; LOCK TABLE h IN ACCESS EXCLUSIVE MODE");
  const auto expect_streams = [this](const std::string& row) {
    ASSERT_NO_FATAL_FAILURE(Start());
    blue().Exec("INSERT INTO t VALUES (" + row + ")");
    EXPECT_TRUE(
        WaitUntil([&] { return green().Scalar("SELECT count(*) FROM t WHERE id = " + row) == "1"; },
                  seconds(10)));
    StopCleanly();
  };
  ASSERT_NO_FATAL_FAILURE(expect_streams("2"));
  db_.GreenWriter().Exec(
      "INSERT INTO pgteal.table_state (deployment, schema_name, table_name, phase)"
      " VALUES ('pgteal', 'public', 'h', 'copying'), ('pgteal', 'public', 'gone', 'copying')");
  ASSERT_NO_FATAL_FAILURE(expect_streams("3"));
  ExpectLogNames({"a reload of public.h was interrupted"});
  EXPECT_THAT(Log(), testing::Not(HasSubstr("public.gone")));
  holder.Exec("ROLLBACK");
  ExpectBehind("h");
}

// Blue has nothing then, but green has what it had.
TEST_F(Membership, ATableThatComesBackEmptyHasToBeReloadedWhileGreenHasRows) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h; TRUNCATE h");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  // With looks in between as well.
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// Green gets them from the stream: at its start neither side has any.
TEST_F(Membership, ATableThatComesBackEmptyHasToBeReloadedWhileRowsAreUnderWay) {
  ExecBoth("TRUNCATE h");
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("INSERT INTO h VALUES (1)");
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h; TRUNCATE h");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
}

// Nor is it complete because somebody has looked meanwhile.
TEST_F(Membership, ATableThatComesBackEmptyIsJudgedOnceItsRowsHaveArrived) {
  ExecBoth("TRUNCATE h");
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("INSERT INTO h VALUES (1)");
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h; TRUNCATE h");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN READ WRITE; LOCK TABLE h IN SHARE MODE");
  Start();
  const auto is_told = [this] {
    return green().Scalar("SELECT count(*) FROM pgteal.event WHERE kind = 'ddl'") == "1";
  };
  EXPECT_TRUE(WaitUntil(is_told, seconds(10))) << Log();
  holder.Exec("ROLLBACK");
  const auto is_there = [this] { return green().Scalar("SELECT count(*) FROM h") == "1"; };
  EXPECT_TRUE(WaitUntil(is_there, seconds(30))) << Log();
  StopCleanly();
  ExpectBehind("h");
}

// Whoever may not read green's table cannot tell that it is empty.
TEST_F(Membership, ATableThatComesEmptyIsBehindWhereGreensCannotBeRead) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ExecEverywhere("CREATE TABLE n (id int PRIMARY KEY)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE n");
  ExpectComplete();
  db_.GreenWriter().Exec(
      "CREATE ROLE modest LOGIN; GRANT USAGE ON SCHEMA pgteal TO modest;"
      "GRANT SELECT ON ALL TABLES IN SCHEMA pgteal TO modest");
  const auto ask = db_.PgtealVia("", db_.GreenInfo() + " user=modest",
                                 {"check", "--json", "--phase", "switchover", "--only", "H9"});
  EXPECT_THAT(ReadCheck(*ask).Findings("H9"), HasSubstr("--reload-table public.n"));
  db_.GreenWriter().Exec("DROP OWNED BY modest; DROP ROLE modest");
}

TEST_F(Membership, ATableThatTookTheNameOfAnotherHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec(
      "CREATE TABLE h_new (LIKE h INCLUDING ALL); INSERT INTO h_new VALUES (1), (2);"
      "DROP TABLE h; ALTER TABLE h_new RENAME TO h; ALTER INDEX h_new_pkey RENAME TO h_pkey;"
      "ALTER PUBLICATION pgteal ADD TABLE h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
}

TEST_F(Membership, ARenamedTableIsStillComplete) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("ALTER TABLE h RENAME TO renamed");
  db_.GreenWriter().Exec("ALTER TABLE h RENAME TO renamed");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

// A new table on green, as for one that is missing there, has none of its rows.
TEST_F(Membership, ARenamedTableThatIsMadeAnewOnGreenHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string rename = "ALTER TABLE \"public\".\"h\" RENAME TO \"h2\";";
  blue().Exec("ALTER TABLE h RENAME TO h2; ALTER INDEX h_pkey RENAME TO h2_pkey");
  EXPECT_THAT(Ask().Findings("H9"), HasSubstr(rename));
  EXPECT_THAT(RunCheck(db_, {"--only", "D19"}).Findings("D19"), HasSubstr(rename));
  blue().Exec("INSERT INTO h2 VALUES (2)");
  EXPECT_NE(RunUntilCaughtUp(), 0);
  EXPECT_THAT(Log(), HasSubstr(rename));
  db_.GreenWriter().Exec("CREATE TABLE h2 (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h2"));
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h2"));
  ASSERT_NO_FATAL_FAILURE(Reload("h2"));
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM h2"), "2");
}

TEST_F(Membership, ATableThatGreenMovedToAnotherSchemaIsNamedToo) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ExecEverywhere("CREATE SCHEMA s");
  blue().Exec("ALTER TABLE h SET SCHEMA s; ALTER TABLE s.h RENAME TO h2");
  EXPECT_THAT(Ask().Findings("H9"), HasSubstr("ALTER TABLE \"public\".\"h\" SET SCHEMA \"s\"; "
                                              "ALTER TABLE \"s\".\"h\" RENAME TO \"h2\";"));
}

// As logs are rotated and tables rebuilt. What green has under that name is the other table's.
TEST_F(Membership, ATableWhoseNameIsGivenToANewOneIsRenamedOnGreenFirst) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string rename = "ALTER TABLE \"public\".\"h\" RENAME TO \"h_old\";";
  const std::string anew =
      "ALTER TABLE h RENAME TO h_old; ALTER INDEX h_pkey RENAME TO h_old_pkey;"
      "CREATE TABLE h (id int PRIMARY KEY);";
  blue().Exec(anew + "INSERT INTO h VALUES (7); ALTER PUBLICATION pgteal ADD TABLE h");
  blue().Exec("INSERT INTO h VALUES (8); INSERT INTO h_old VALUES (2)");
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  EXPECT_THAT(Log(), HasSubstr(rename));
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  const auto reload = db_.Pgteal({"run", "--copy", "data", "--reload-table", "public.h"});
  EXPECT_EQ(reload->WaitExit(seconds(60)), 3);
  EXPECT_THAT(reload->Log(), HasSubstr(rename));
  EXPECT_EQ(green().Scalar("SELECT string_agg(id::text, ' ') FROM h"), "1");
  db_.GreenWriter().Exec(anew);
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, TablesThatExchangeTheirNamesAreCompleteOnceGreensHaveToo) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string exchange =
      "ALTER TABLE h RENAME TO x; ALTER TABLE t RENAME TO h; ALTER TABLE x RENAME TO t";
  blue().Exec(exchange + "; INSERT INTO h VALUES (2)");
  EXPECT_EQ(RunUntilCaughtUp(), 3) << Log();
  EXPECT_EQ(Ask().Outcomes("H9"), "FAIL");
  db_.GreenWriter().Exec(exchange);
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// All its oids are others then, and nothing is missing.
TEST_F(Membership, AGreenThatWasDumpedAndRestoredIsStillComplete) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  db_.GreenWriter().Exec(
      "CREATE TABLE h_new (LIKE h INCLUDING ALL); INSERT INTO h_new TABLE h; DROP TABLE h;"
      "ALTER TABLE h_new RENAME TO h; ALTER INDEX h_new_pkey RENAME TO h_pkey;"
      "CREATE TABLE pgteal.restored (LIKE pgteal.schema_baseline INCLUDING ALL);"
      "INSERT INTO pgteal.restored OVERRIDING SYSTEM VALUE TABLE pgteal.schema_baseline;"
      "DROP TABLE pgteal.schema_baseline; ALTER TABLE pgteal.restored RENAME TO schema_baseline");
  ExpectComplete();
}

TEST_F(Membership, ATableThatIsAddedEmptyIsCompleteWhateverIsWrittenLater) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); ALTER PUBLICATION pgteal ADD TABLE n");
  db_.GreenWriter().Exec("CREATE TABLE n (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--ddl-guard", "off"}));
  blue().Exec("INSERT INTO n VALUES (1)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

// As an older pgteal kept it: by name.
TEST_F(Membership, ARecordWithoutOidsIsTakenOver) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  db_.GreenWriter().Exec(
      "UPDATE pgteal.schema_baseline SET definition = '' WHERE kind = 'complete table'");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h; ALTER PUBLICATION pgteal ADD TABLE h");
  ExpectBehind("h");
}

TEST_F(Membership, APublicationOfAllTablesInPlaceOfSomeBringsTablesWithRows) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--include-table", "t"}));
  blue().Exec("INSERT INTO h VALUES (2)");
  blue().Exec("DROP PUBLICATION pgteal; CREATE PUBLICATION pgteal FOR ALL TABLES");
  ExpectBehind("h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("t"));
  ExpectComplete();
  // From here on every table is published from its creation.
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); INSERT INTO n VALUES (1)");
  db_.GreenWriter().Exec("CREATE TABLE n (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, ASchemaThatIsAddedBringsTablesWithRows) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--include-table", "t"}));
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLES IN SCHEMA public");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
}

// No row of pg_publication changes with it.
TEST_F(Membership, ASchemaThatLeavesThePublicationIsNoticedByTheRunningGuard) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  ExecBoth("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public, s");
  Start();
  const auto is_recorded = [this] {
    return green().Scalar("SELECT count(*) FROM pgteal.schema_baseline WHERE kind = 'recorded'") ==
           "1";
  };
  ASSERT_TRUE(WaitUntil(is_recorded, seconds(30))) << Log();
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLES IN SCHEMA s");
  const auto is_degraded = [this] {
    return green().Scalar("SELECT state FROM pgteal.deployment") == "degraded";
  };
  EXPECT_TRUE(WaitUntil(is_degraded, seconds(30))) << Log();
  EXPECT_THAT(green().Scalar("SELECT detail FROM pgteal.event WHERE kind = 'ddl'"),
              HasSubstr("s.t is not in the publication"));
  StopCleanly();
}

TEST_F(Membership, AnUnloggedTableThatBecomesLoggedHasToBeReloaded) {
  ExecBoth("CREATE UNLOGGED TABLE u (id int PRIMARY KEY)");
  blue().Exec("INSERT INTO u VALUES (1), (2)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_THAT(RunCheck(db_, {"--phase", "switchover", "--only", "D4"}).Findings("D4"),
              HasSubstr("ALTER TABLE public.u SET LOGGED; -- then run --reload-table public.u"));
  ExecEverywhere("ALTER TABLE u SET LOGGED");
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("u"));
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("u");
  ASSERT_NO_FATAL_FAILURE(Reload("u"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// As tables are often filled. Nothing but its storage tells that it was not always as it is.
TEST_F(Membership, ATableThatWasUnloggedBetweenTwoLooksHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("CREATE UNLOGGED TABLE u (id int PRIMARY KEY)");
  blue().Exec("INSERT INTO u VALUES (1), (2)");
  ExecEverywhere("ALTER TABLE u SET LOGGED");
  ExpectBehind("u");
}

TEST_F(Membership, AnUnloggedTableThatBecomesLoggedEmptyIsComplete) {
  ExecBoth("CREATE UNLOGGED TABLE u (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("ALTER TABLE u SET LOGGED");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("INSERT INTO u VALUES (1)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, ATableThatIsRewrittenIsStillComplete) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("VACUUM FULL t");
  blue().Exec("TRUNCATE h; INSERT INTO h VALUES (7)");
  ExpectComplete();
}

TEST_F(Membership, ATableThatMovesIntoAPublishedSchemaHasToBeReloaded) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  ExecBoth("CREATE SCHEMA other; CREATE TABLE other.m (id int PRIMARY KEY)");
  blue().Exec("INSERT INTO other.m VALUES (1), (2)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("ALTER TABLE other.m SET SCHEMA public");
  ExpectBehind("m");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("m"));
  ASSERT_NO_FATAL_FAILURE(Reload("m"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, ATableThatLeftAPublishedSchemaAndCameBackHasToBeReloaded) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  blue().Exec("CREATE SCHEMA other; CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public");
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--ddl-guard", "off"}));
  blue().Exec("ALTER TABLE h SET SCHEMA other");
  blue().Exec("INSERT INTO other.h VALUES (2)");
  blue().Exec("ALTER TABLE other.h SET SCHEMA public");
  EXPECT_THAT(Ask().Findings("H9"), HasSubstr("--reload-table public.h"));
  EXPECT_THAT(Ask().Findings("H9"), testing::Not(HasSubstr("public.t")));
}

TEST_F(Membership, ATableThatIsMadeInAPublishedSchemaIsCompleteWhoeverOwnsIt) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("CREATE TABLE draft (id int PRIMARY KEY)");
  ExecEverywhere("ALTER TABLE draft OWNER TO pg_read_all_data");
  ExecEverywhere("ALTER TABLE draft RENAME TO n");
  blue().Exec("INSERT INTO n VALUES (1)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// The copy leaves them to CREATE EXTENSION, and --reload-table knows none.
TEST_F(Membership, ATableOfAnExtensionIsNotWaitedFor) {
  ExecBoth("CREATE EXTENSION citext");
  ASSERT_NO_FATAL_FAILURE(Begin());
  ExecEverywhere("CREATE TABLE x (id int PRIMARY KEY); ALTER EXTENSION citext ADD TABLE x");
  blue().Exec("INSERT INTO x VALUES (1); ALTER PUBLICATION pgteal ADD TABLE x");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

TEST_F(Membership, TablesWhoseNamesAreTheSameWithoutQuotesAreTwo) {
  const std::string tables = "\"a.b\".\"c\", \"a\".\"b.c\"";
  ExecBoth(
      "CREATE SCHEMA \"a.b\"; CREATE TABLE \"a.b\".\"c\" (id int PRIMARY KEY);"
      "CREATE SCHEMA \"a\"; CREATE TABLE \"a\".\"b.c\" (id int PRIMARY KEY)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE t, " + tables);
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  for (const std::string table : {"\"a.b\".\"c\"", "\"a\".\"b.c\""}) {
    blue().Exec("ALTER PUBLICATION pgteal DROP TABLE " + tables);
    blue().Exec("INSERT INTO " + table + " VALUES (1)");
    blue().Exec("ALTER PUBLICATION pgteal ADD TABLE " + tables);
    EXPECT_EQ(Ask().Outcomes("H9"), "FAIL") << table;
    blue().Exec("TRUNCATE " + table);
    ASSERT_NO_FATAL_FAILURE(StreamOnce());
    ExpectComplete();
  }
}

TEST_F(Membership, ASchemaWithADotInItsNameIsWrittenInQuotes) {
  const std::string table = "\"a.\"\"b\".c";
  ExecBoth("CREATE SCHEMA \"a.\"\"b\"; CREATE TABLE " + table + " (id int PRIMARY KEY)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE t");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("INSERT INTO " + table + " VALUES (1); ALTER PUBLICATION pgteal ADD TABLE " + table);
  EXPECT_THAT(Ask().Findings("H9"), HasSubstr("--reload-table " + table));
  const auto reload =
      db_.Pgteal({"run", "--copy", "data", "--reload-table", table, "--until-caught-up"});
  ASSERT_EQ(reload->WaitExit(std::chrono::seconds(60)), 0) << reload->Log();
  ExpectComplete();
}

}  // namespace
}  // namespace pgteal::tests
