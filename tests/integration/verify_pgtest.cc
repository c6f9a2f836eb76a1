#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/verify_test.h"
#include "tests/support/workload.h"

namespace pgteal::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class VerifyVerb : public VerifyTest {};

TEST_F(VerifyVerb, FindsNothingAgainAndAgainUnderLoad) {
  Workload::CreateTables(db_);
  Start();
  Workload workload(
      db_.BlueInfo(),
      {.sessions = 6, .transactions_max = 200'000, .pace = std::chrono::milliseconds(4)});
  ASSERT_TRUE(WaitUntil([&] { return workload.committed() > 200; }, std::chrono::seconds(30)));
  std::string last_lsn;
  for (int i = 0; i < 6; ++i) {
    const Json report = Verify(0);
    EXPECT_TRUE(report.at("equal").get<bool>()) << report.dump(2);
    EXPECT_NE(report.at("lsn").get<std::string>(), last_lsn);
    std::printf("paused_ms %d took_ms %d\n", report.at("paused_ms").get<int>(),
                report.at("took_ms").get<int>());
    last_lsn = report.at("lsn").get<std::string>();
  }
  EXPECT_FALSE(workload.is_finished()) << "there was no load any more";
  workload.Stop();
  ExpectCaughtUpAndEqual();
}

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

// What a verify that is stopped in the middle of a hold looks like to the stream.
TEST_F(VerifyVerb, AHoldEndsWithTheSessionThatAskedForIt) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  {
    Sql asker(db_.GreenInfo());
    asker.Exec("SET default_transaction_read_only = off");
    const std::string id = asker.Scalar(
        "WITH r AS (INSERT INTO pgteal.request (deployment, kind) VALUES ('pgteal', 'hold')"
        " RETURNING id), l AS MATERIALIZED (SELECT id, pg_advisory_lock(1885823333, id) FROM r)"
        " SELECT id FROM l WHERE pg_advisory_lock IS NOT NULL");
    ASSERT_TRUE(WaitUntil(
        [&] {
          return green().Scalar("SELECT state FROM pgteal.request WHERE id = " + id) == "held";
        },
        std::chrono::seconds(10)));
    blue().Exec("INSERT INTO t VALUES (1)");
    const std::string lsn = blue().Scalar("SELECT pg_current_wal_lsn()");
    ASSERT_TRUE(WaitUntil(
        [&] {
          return blue().Scalar("SELECT write_lsn >= '" + lsn +
                               "' FROM pg_stat_replication WHERE application_name ~ 'stream'") ==
                 "t";
        },
        std::chrono::seconds(10)));
    EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "0") << "held, but applied";
  }
  ExpectCaughtUpAndEqual();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.request"), "0");
}

TEST_F(VerifyVerb, KilledAtAnyMomentItLeavesAStreamThatGoesOn) {
  Workload::CreateTables(db_);
  Start();
  Workload workload(db_.BlueInfo(), {.sessions = 3});
  for (int i = 0; i < 12; ++i) {
    const auto verify = LaunchVerify();
    static_cast<void>(verify->WaitExit(std::chrono::milliseconds(60 * i)));
    verify->Kill9();
  }
  workload.Stop();
  ExpectCaughtUpAndEqual();
  Verify(0);
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots WHERE database ="
                          " current_database()"),
            "1");
}

TEST_F(VerifyVerb, WaitsForLongWritersWithoutHoldingTheStream) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  Sql writer(db_.BlueInfo() + " application_name=batch_job");
  writer.Exec("BEGIN; INSERT INTO t VALUES (1)");
  const auto verify = LaunchVerify();
  ASSERT_TRUE(verify->WaitForLog("batch_job")) << verify->Log();
  blue().Exec("INSERT INTO t VALUES (2)");
  EXPECT_TRUE(WaitUntil([&] { return green().Scalar("SELECT count(*) FROM t") == "1"; },
                        std::chrono::seconds(10)));
  EXPECT_TRUE(verify->IsRunning());
  writer.Exec("COMMIT");
  EXPECT_EQ(verify->WaitExit(), 0) << verify->Log();
  EXPECT_EQ(Json::parse(verify->Stdout()).at("rows"), 2);
}

TEST_F(VerifyVerb, ATableEmptiedOrRewrittenMeanwhileIsComparedOnceMore) {
  ExecBoth(
      "CREATE TABLE large (id int PRIMARY KEY, v text); CREATE TABLE small (id int PRIMARY KEY);"
      "CREATE TABLE altered (id int PRIMARY KEY, n int);"
      "INSERT INTO large SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 8000) AS g;"
      "INSERT INTO small SELECT generate_series(1, 100);"
      "INSERT INTO altered SELECT g, g FROM generate_series(1, 100) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  const auto verify = LaunchVerify({"--jobs", "1", "--max-rate", "2"});
  ASSERT_TRUE(verify->WaitForLog("snapshots of blue and green")) << verify->Log();
  blue().Exec("TRUNCATE small; INSERT INTO small VALUES (7)");
  ExecBoth("ALTER TABLE altered ALTER COLUMN n TYPE bigint");
  ASSERT_EQ(verify->WaitExit(), 0) << verify->Stdout() << verify->Log();
  const Json report = Json::parse(verify->Stdout());
  EXPECT_NE(Table(report, "small").at("lsn"), Table(report, "large").at("lsn"));
  EXPECT_NE(Table(report, "altered").at("lsn"), Table(report, "large").at("lsn"));
  EXPECT_EQ(Table(report, "small").at("blue_rows"), 1);
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

TEST_F(VerifyVerb, ComparesWhatIsPublishedOnly) {
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
