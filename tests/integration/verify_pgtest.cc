#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/verify_test.h"

namespace pgteal::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class VerifyVerb : public VerifyTest {};

TEST_F(VerifyVerb, NamesWhatIsMissingExtraAndDifferentByItsKey) {
  ExecBoth(
      "CREATE TABLE t (region text, id int, note text, n int, PRIMARY KEY (region, id));"
      "INSERT INTO t SELECT 'eu', g, 'note ' || g, g FROM generate_series(1, 5000) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  green().Exec(
      "DELETE FROM t WHERE id = 17; UPDATE t SET note = 'secret', n = n + 1 WHERE id = 400;"
      "INSERT INTO t VALUES ('us', 1, 'secret', 1)");
  const Json report = Verify(4);
  EXPECT_FALSE(report.at("equal").get<bool>());
  EXPECT_THAT(
      Differences(report, "t"),
      ElementsAre(R"(different{"id":"400","region":"eu"}["note","n"])",
                  R"(extra{"id":"1","region":"us"})", R"(missing{"id":"17","region":"eu"})"));
  EXPECT_EQ(Table(report, "t").at("blue_rows"), 5000);
  EXPECT_THAT(report.dump() + VerifyLog(), Not(HasSubstr("secret")));
}

TEST_F(VerifyVerb, BringsGreenUpToBlueItselfWhenNoRunStreams) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v int)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, g FROM generate_series(1, 1000) AS g");
  Verify(0);
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "1000");
  green().Exec("UPDATE t SET v = 0 WHERE id = 77");
  EXPECT_THAT(Differences(Verify(4), "t"), ElementsAre(R"(different{"id":"77"}["v"])"));
  // And a later run resumes.
  blue().Exec("UPDATE t SET v = 5 WHERE id = 77");
  ExpectApplied();
}

TEST_F(VerifyVerb, ComparesByNameAndValueWhereTheTablesAreNotAlike) {
  blue().Exec(
      "CREATE TABLE widened (id int PRIMARY KEY, n smallint, v varchar(20), c char(4), f float4,"
      " m numeric(8, 2), d date, j json, k int);"
      "CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);"
      "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (1000);"
      "CREATE TABLE plain_here (id int PRIMARY KEY, v text);");
  green().Exec(
      "CREATE TABLE widened (f float8, extra text DEFAULT 'x', c char(8), v text, n bigint,"
      " id bigint PRIMARY KEY, m numeric(12, 4), d timestamp, j jsonb, k float8);"
      "CREATE TABLE parts (v text, id int PRIMARY KEY) PARTITION BY HASH (id);"
      "CREATE TABLE parts_a PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE TABLE parts_b PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "CREATE TABLE plain_here (id int PRIMARY KEY, v text) PARTITION BY LIST (id);"
      "CREATE TABLE plain_rest PARTITION OF plain_here DEFAULT");
  ExecBoth(
      "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id))"
      " INHERITS (parent); CREATE TABLE no_columns ();"
      "ALTER TABLE no_columns REPLICA IDENTITY FULL;"
      "CREATE TABLE \"Odd \"\"name\" (\"a.b\" int PRIMARY KEY, \"WHERE \" text)");
  blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES WITH (publish_via_partition_root = true)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec(
      "INSERT INTO widened SELECT g, g, 'v' || g, 'c', g / 3.0, g / 3.0, date '2024-01-01' + g,"
      " '{\"b\":1, \"a\":2}', g * 1000000 FROM generate_series(1, 100) AS g;"
      "INSERT INTO parts SELECT g, 'p' || g FROM generate_series(1, 100) AS g;"
      "INSERT INTO plain_here SELECT g, 'p' || g FROM generate_series(1, 100) AS g;"
      "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);"
      "INSERT INTO no_columns SELECT FROM generate_series(1, 3);"
      "INSERT INTO \"Odd \"\"name\" VALUES (1, 'x')");
  Start();
  const Json report = Verify(0);
  EXPECT_THAT(Table(report, "widened").at("notes").dump(),
              testing::AllOf(HasSubstr("column extra is on green only"),
                             HasSubstr("column n is smallint on blue and bigint on green")));
  EXPECT_EQ(Table(report, "parts").at("green_rows"), 100);
  EXPECT_EQ(Table(report, "no_columns").at("green_rows"), 3);
  green().Exec(
      "UPDATE widened SET n = 0 WHERE id = 5; UPDATE parts SET v = '' WHERE id = 60;"
      "DELETE FROM plain_here WHERE id = 8; DELETE FROM no_columns WHERE ctid = '(0,1)';"
      "UPDATE \"Odd \"\"name\" SET \"WHERE \" = NULL");
  const Json different = Verify(4);
  EXPECT_THAT(Differences(different, "widened"), ElementsAre(R"(different{"id":"5"}["n"])"));
  EXPECT_THAT(Differences(different, "parts"), ElementsAre(R"(different{"id":"60"}["v"])"));
  EXPECT_THAT(Differences(different, "plain_here"), ElementsAre(R"(missing{"id":"8"})"));
  EXPECT_THAT(Differences(different, "no_columns"), ElementsAre("missing{}"));
  EXPECT_THAT(Differences(different, "Odd \"name"),
              ElementsAre(R"(different{"a.b":"1"}["WHERE "])"));
  EXPECT_EQ(Verify(4, {"--repair"}).at("repair").at("repaired"), 5);
  Verify(0);
}

TEST_F(VerifyVerb, SettingsAndCollationsOfASideMakeNoDifference) {
  const std::string columns =
      ", id int, ts timestamptz, d date, i interval, f float8, r real, b bytea, n numeric, a int[],"
      " x xml, PRIMARY KEY (k, id)); ";
  blue().Exec("CREATE TABLE t (k text COLLATE \"C\"" + columns);
  green().Exec("CREATE TABLE t (k text COLLATE \"en-US-x-icu\"" + columns);
  ExecBoth(
      "INSERT INTO t SELECT k, g, '2024-02-03 04:05:06.7+02', '2024-02-03', '-1 day 2:03:04', 0.1,"
      " 0.1, '\\x00ff5c', 1.10, '{1,NULL}', '<a/>' FROM unnest('{a,B,ä,Z,a-b,ab,\"\"}'::text[])"
      " AS k, generate_series(1, 200) AS g");
  for (const char* setting :
       {"DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'", "extra_float_digits = -15",
        "bytea_output = 'escape'", "TimeZone = 'Asia/Kolkata'", "search_path = 'nowhere'",
        "array_nulls = off", "xmloption = 'document'", "standard_conforming_strings = off",
        "default_transaction_isolation = 'serializable'"}) {
    green().Exec("ALTER DATABASE " + db_.name() + " SET " + setting);
  }
  Sql plain(db_.GreenInfo());
  EXPECT_EQ(
      plain.Scalar("SELECT ts || ' ' || f || ' ' || b FROM public.t WHERE k = 'B' AND id = 1"),
      "03/02/2024 07:35:06.7 IST 0.1 \\000\\377\\\\");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT 'é', id, ts, d, i, f, r, b, n, a, x FROM t WHERE k = 'B'");
  EXPECT_EQ(Table(Verify(0), "t").at("green_rows"), 1600);
  green().Exec("UPDATE t SET f = 0.10000000000000002 WHERE k = 'ä' AND id = 3");
  EXPECT_THAT(Differences(Verify(4), "t"), ElementsAre(R"(different{"id":"3","k":"ä"}["f"])"));
}

TEST_F(VerifyVerb, ComparesWhatIsPublishedOnly) {
  if (DefaultVersions().blue < 15) GTEST_SKIP() << "publications have row filters from 15 on";
  ExecBoth(
      "CREATE TABLE filtered (id int PRIMARY KEY, region text NOT NULL, v text, secret text);"
      "ALTER TABLE filtered REPLICA IDENTITY FULL; CREATE TABLE left_out (id int PRIMARY KEY)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE filtered WHERE (region = 'eu')");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec(
      "INSERT INTO filtered SELECT g, CASE WHEN g % 2 = 0 THEN 'eu' ELSE 'us' END, 'v', 's'"
      " FROM generate_series(1, 100) AS g; INSERT INTO left_out VALUES (1)");
  const Json report = Verify(0);
  EXPECT_EQ(Table(report, "filtered").at("blue_rows"), 50);
  EXPECT_THAT(report.at("notes").dump(), HasSubstr("public.left_out"));
  green().Exec("DELETE FROM filtered WHERE id = 2");
  EXPECT_THAT(Differences(Verify(4), "filtered"), ElementsAre(R"(missing{"id":"2"})"));
}

TEST_F(VerifyVerb, NothingToCompareIsNotEqual) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Verify(2, {"--include-table", "tt"});
  EXPECT_THAT(VerifyLog(), HasSubstr("--include-table tt matches no published table"));
  Verify(2, {"--exclude-table", "*"});
  EXPECT_THAT(VerifyLog(), HasSubstr("--exclude-table leaves no table to compare"));
  Verify(0, {"--exclude-table", "not_there"});
}

TEST_F(VerifyVerb, ReportsWhatIsBeyondRows) {
  ExecBoth(
      "CREATE SEQUENCE s; CREATE TABLE ranks (id int PRIMARY KEY, place int, x int, span int4range,"
      " CONSTRAINT one_each UNIQUE (place) DEFERRABLE INITIALLY DEFERRED,"
      " CONSTRAINT x_once EXCLUDE USING btree (x WITH =) DEFERRABLE INITIALLY DEFERRED,"
      " CONSTRAINT apart EXCLUDE USING gist (span WITH &&) WHERE (x > 10)"
      " DEFERRABLE INITIALLY DEFERRED,"
      " CONSTRAINT odd EXCLUDE USING btree ((x / 2) WITH =) WHERE (id < 0) DEFERRABLE);"
      "INSERT INTO ranks VALUES (1, 1, 11, '[1,3)'), (2, 2, 12, '[3,5)'), (3, 3, 5, '[2,4)'),"
      " (4, 4, NULL, NULL), (5, 5, NULL, NULL); CREATE TABLE lacking (id int PRIMARY KEY, v int)");
  blue().Exec(
      "CREATE TABLE sums (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED,"
      " thrice int GENERATED ALWAYS AS (id * 3) STORED, d int DEFAULT 5, CONSTRAINT c CHECK (d > "
      "0));"
      "CREATE TABLE absent (id int PRIMARY KEY)");
  green().Exec(
      "CREATE TABLE sums (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id + id) STORED,"
      " thrice int GENERATED ALWAYS AS (id * 3) STORED, d int DEFAULT 6);"
      "ALTER TABLE sums ADD CONSTRAINT c CHECK (d > 0) NOT VALID");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO sums VALUES (1); SELECT nextval('s'); SELECT lo_create(4711)");
  const Json report = Verify(4);
  EXPECT_EQ(report.at("differences"), 0);
  EXPECT_EQ(Table(report, "absent").at("fault"), "the table is missing on green");
  EXPECT_THAT(Table(report, "sums").at("notes").dump(),
              testing::AllOf(HasSubstr("column twice is generated differently on green"),
                             HasSubstr("column d has another default on green")));
  EXPECT_THAT(report.at("notes").dump(),
              testing::AllOf(HasSubstr("constraints not validated on green: c of public.sums"),
                             HasSubstr("1 sequences stand elsewhere"),
                             HasSubstr("large objects: 1 missing")));
  EXPECT_EQ(report.at("faults"), Json::array());
  EXPECT_THAT(report.at("notes").dump(), Not(HasSubstr("not looked at")));
  // The replica role does not check them.
  green().Exec(
      "CREATE TABLE absent (id int PRIMARY KEY); ALTER TABLE lacking DROP COLUMN v;"
      "SET session_replication_role = replica; UPDATE ranks SET place = 1 WHERE id < 3;"
      "UPDATE ranks SET x = 5 WHERE id = 4; UPDATE ranks SET span = '[2,4)' WHERE id = 2");
  const Json doubled = Verify(4);
  EXPECT_THAT(doubled.at("faults"),
              UnorderedElementsAre("constraint one_each of public.ranks does not hold on green",
                                   "constraint x_once of public.ranks does not hold on green",
                                   "constraint apart of public.ranks does not hold on green"));
  EXPECT_EQ(Table(doubled, "lacking").at("fault"), "column v is missing on green");
}

TEST_F(VerifyVerb, RepairsWhatNobodyTouchedAndNothingElse) {
  ExecBoth(
      "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, n int,"
      " twice int GENERATED ALWAYS AS (n * 2) STORED);"
      "INSERT INTO t (v, n) SELECT 'v' || g, g FROM generate_series(1, 100) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  green().Exec("UPDATE t SET v = 'planted'; DELETE FROM t WHERE id > 90");
  const Json refused = Verify(4, {"--repair", "--max-repair-rows", "99"});
  EXPECT_THAT(refused.at("repair").dump(), HasSubstr("more rows differ"));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t WHERE v = 'planted'"), "90");
  const Json repaired = Verify(4, {"--repair", "--max-differences", "5"});
  EXPECT_EQ(repaired.at("repair").at("repaired"), 100);
  EXPECT_EQ(Table(repaired, "t").at("differences").size(), 5U);
  EXPECT_EQ(Verify(0).at("differences"), 0);
  EXPECT_EQ(green().Scalar("SELECT string_agg(detail::jsonb->>'repaired', ' ' ORDER BY id)"
                           " FROM pgteal.event WHERE kind = 'verify'"),
            "0 100 0");
  ExpectCaughtUpAndEqual();
}

// Green's table `gate` is locked, so that the comparison waits between its snapshots and its reads.
// Touched counts what changed on either side: 8 is not on green to be changed there, 1001 is not
// blue's row, and 6 is written by somebody else.
TEST_F(VerifyVerb, ARowThatWasTouchedSinceIsNotRepaired) {
  ExecBoth(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE gate (id int PRIMARY KEY);"
      "INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start({"--on-conflict", "skip"});
  green().Exec(
      "UPDATE t SET v = 'planted' WHERE id IN (5, 6, 7); DELETE FROM t WHERE id IN (8, 9);"
      "INSERT INTO t VALUES (1000, 'extra'), (1001, 'extra')");
  Sql gate = db_.GreenWriter();
  gate.Exec("BEGIN; LOCK TABLE gate IN ACCESS EXCLUSIVE MODE");
  const auto verify = LaunchVerify({"--repair"});
  ASSERT_TRUE(verify->WaitForLog("snapshots of blue and green")) << verify->Log();
  blue().Exec(
      "UPDATE t SET v = 'new' WHERE id IN (5, 8); INSERT INTO t VALUES (1001, 'blue');"
      "DELETE FROM t WHERE id = 7");
  ASSERT_TRUE(WaitUntil(
      [&] { return green().Query("SELECT v FROM t WHERE id IN (5, 7)") == Rows{{"new"}}; },
      std::chrono::seconds(30)));
  green().Exec("UPDATE t SET v = 'by hand' WHERE id = 6");
  gate.Exec("COMMIT");
  ASSERT_EQ(verify->WaitExit(), 4) << verify->Stdout() << verify->Log();
  const Json report = Json::parse(verify->Stdout());
  EXPECT_EQ(report.at("differences"), 7);
  EXPECT_EQ(report.at("repair").at("touched"), 5) << report.dump(2);
  EXPECT_EQ(report.at("repair").at("repaired"), 2);
  EXPECT_EQ(report.at("repair").at("failures"), Json::array());
  EXPECT_THAT(Differences(Verify(4, {"--repair"}), "t"),
              ElementsAre(R"(different{"id":"1001"}["v"])", R"(different{"id":"6"}["v"])",
                          R"(missing{"id":"8"})"));
  Verify(0);
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM t"), green().Scalar("SELECT count(*) FROM t"));
}

// VACUUM FULL lets rows keep their xmin, and puts those of one transaction where others of it were:
// 51 to the place of 50, 102 to that of 101. A sequence that is being dropped on green is what the
// comparison waits for once it has seen all rows.
TEST_F(VerifyVerb, ARowOfATableThatWasRewrittenSinceIsNotRepaired) {
  ExecBoth(
      "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY, v text);"
      "CREATE TABLE u (id int PRIMARY KEY, v text);"
      "INSERT INTO u SELECT g, 'v' || g FROM generate_series(1, 102) AS g;"
      "DELETE FROM u WHERE id = 1");
  const std::string rows = " FROM generate_series(1, 102) AS g";
  blue().Exec("INSERT INTO t SELECT g, 'v' || g" + rows + " WHERE g <> 101");
  green().Exec("INSERT INTO t SELECT g, CASE g WHEN 50 THEN 'planted' ELSE 'v' || g END" + rows);
  green().Exec("DELETE FROM t WHERE id = 1; UPDATE u SET v = 'planted' WHERE id = 50");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  Sql dropper = db_.GreenWriter();
  dropper.Exec("BEGIN; DROP SEQUENCE s");
  const auto verify = LaunchVerify({"--repair"});
  ASSERT_TRUE(WaitUntil(
      [&] { return green().Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1"; },
      std::chrono::seconds(30)))
      << verify->Log();
  green().Exec("VACUUM FULL t");
  blue().Exec("VACUUM FULL u");
  dropper.Exec("ROLLBACK");
  ASSERT_EQ(verify->WaitExit(), 4) << verify->Stdout() << verify->Log();
  const Json report = Json::parse(verify->Stdout());
  EXPECT_EQ(report.at("differences"), 4);
  EXPECT_EQ(report.at("repair").at("touched"), 3) << report.dump(2);
  EXPECT_EQ(report.at("repair").at("repaired"), 1);
  EXPECT_EQ(green().Query("SELECT v FROM t WHERE id IN (51, 102) ORDER BY id"),
            (Rows{{"v51"}, {"v102"}}));
  EXPECT_EQ(green().Scalar("SELECT v FROM u WHERE id = 50"), "planted");
  EXPECT_EQ(Verify(4, {"--repair"}).at("repair").at("repaired"), 3);
  Verify(0);
}

// Padding to another width is no difference, in a key as elsewhere.
TEST_F(VerifyVerb, KeysOfAnotherWidthAreMatched) {
  blue().Exec("CREATE TABLE t (k char(4) PRIMARY KEY, v int)");
  green().Exec("CREATE TABLE t (k char(8) PRIMARY KEY, v int)");
  ExecBoth("INSERT INTO t SELECT 'k' || g, g FROM generate_series(1, 100) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  green().Exec("UPDATE t SET v = 0 WHERE k = 'k5'");
  const Json report = Verify(4, {"--repair"});
  EXPECT_THAT(Differences(report, "t"), ElementsAre(R"(different{"k":"k5"}["v"])"));
  EXPECT_EQ(report.at("repair").at("repaired"), 1);
  Verify(0);
}

// Nothing keeps it out where green lacks the key.
TEST_F(VerifyVerb, ANullInAKeyIsARowOfGreenAlone) {
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); CREATE TABLE t (id text PRIMARY KEY)");
  green().Exec("CREATE TABLE n (id int); CREATE TABLE t (id text)");
  ExecBoth("INSERT INTO n SELECT generate_series(1, 100); INSERT INTO t VALUES ('a')");
  blue().Exec("INSERT INTO t VALUES ('')");
  green().Exec("INSERT INTO n VALUES (NULL); INSERT INTO t VALUES (NULL)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  const Json report = Verify(4, {"--repair"});
  EXPECT_THAT(Differences(report, "n"), ElementsAre(R"(extra{"id":null})"));
  EXPECT_THAT(Differences(report, "t"), ElementsAre(R"(extra{"id":null})", R"(missing{"id":""})"));
  EXPECT_EQ(report.at("repair").at("repaired"), 3);
  Verify(0);
}

TEST_F(VerifyVerb, RefusesWhatCannotBeComparedAndEndsCleanly) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v text)");
  Verify(3);
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  green().Exec("UPDATE pgteal.deployment SET state = 'copying'");
  Verify(3);
  EXPECT_THAT(VerifyLog(), HasSubstr("still being loaded"));
  green().Exec("UPDATE pgteal.deployment SET state = 'streaming'");
  blue().Exec("INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) AS g");
  const auto verify = LaunchVerify({"--max-rate", "0.5"});
  ASSERT_TRUE(verify->WaitForLog("snapshots of blue and green"));
  verify->Terminate();
  EXPECT_EQ(verify->WaitExit(), 130);
  Verify(2, {"--jobs", "0"});
}

TEST_F(VerifyVerb, AfterASwitchoverBlueIsComparedWithGreen) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY, v text)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  const auto switchover = db_.Pgteal({"switchover"});
  ASSERT_EQ(switchover->WaitExit(), 0) << switchover->Log();
  Sql green_now(db_.GreenInfo());
  green_now.Exec("INSERT INTO t SELECT g, 'v' FROM generate_series(1, 10) AS g");
  const Json report = Verify(0);
  EXPECT_EQ(report.at("source"), "green");
  EXPECT_EQ(Table(report, "t").at("blue_rows"), 10);
  Sql blue_now(db_.BlueInfo());
  blue_now.Exec("SET default_transaction_read_only = off");
  blue_now.Exec("DELETE FROM t WHERE id = 3");
  EXPECT_THAT(Differences(Verify(4), "t"), ElementsAre(R"(missing{"id":"3"})"));
}

}  // namespace
}  // namespace pgteal::tests
