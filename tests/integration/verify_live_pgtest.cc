#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/integration/verify_test.h"
#include "tests/support/workload.h"

namespace pgteal::tests {
namespace {

// What a comparison does to a live system, and what happens meanwhile to it.
class VerifyLive : public VerifyTest {};

TEST_F(VerifyLive, FindsNothingAgainAndAgainUnderLoad) {
  Workload::CreateTables(db_);
  Start();
  Workload workload(
      db_.BlueInfo(),
      {.sessions = 6, .transactions_max = 200'000, .pace = std::chrono::milliseconds(8)});
  ASSERT_TRUE(WaitUntil([&] { return workload.committed() > 200; }, std::chrono::seconds(30)));
  std::string last_lsn;
  std::vector<int> paused_ms;
  for (int i = 0; i < 6; ++i) {
    const Json report = Verify(0);
    EXPECT_TRUE(report.at("equal").get<bool>()) << report.dump(2);
    EXPECT_NE(report.at("lsn").get<std::string>(), last_lsn);
    paused_ms.push_back(report.at("paused_ms"));
    last_lsn = report.at("lsn").get<std::string>();
  }
  std::sort(paused_ms.begin(), paused_ms.end());
  std::printf("paused_ms %s\n", Json(paused_ms).dump().c_str());
  EXPECT_GT(paused_ms.front(), 0) << "nothing was held";
  EXPECT_LE(paused_ms[paused_ms.size() / 2], 1000);
  EXPECT_FALSE(workload.is_finished()) << "there was no load any more";
  workload.Stop();
  ExpectCaughtUpAndEqual();
}

// What a verify that is stopped in the middle of a hold looks like to the stream.
TEST_F(VerifyLive, AHoldEndsWithTheSessionThatAskedForIt) {
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

TEST_F(VerifyLive, KilledAtAnyMomentItLeavesAStreamThatGoesOn) {
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

TEST_F(VerifyLive, WaitsForLongWritersWithoutHoldingTheStream) {
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

TEST_F(VerifyLive, WithoutARunItNamesLongWritersAndEndsWhenItIsToldTo) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Sql writer(db_.BlueInfo() + " application_name=batch_job");
  writer.Exec("BEGIN; INSERT INTO t VALUES (1)");
  const auto verify = LaunchVerify();
  EXPECT_TRUE(verify->WaitForLog("batch_job", std::chrono::seconds(10))) << verify->Log();
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots WHERE slot_name ~ '_verify_'"),
            "0");
  verify->Terminate();
  EXPECT_EQ(verify->WaitExit(std::chrono::seconds(5)), 130) << verify->Log();
}

TEST_F(VerifyLive, EndsWhenItIsToldToWhileItWaitsForALock) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE s");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  Sql holder = db_.GreenWriter();
  holder.Exec("BEGIN; DROP SEQUENCE s");
  const auto verify = LaunchVerify();
  EXPECT_TRUE(WaitUntil(
      [&] { return green().Scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1"; },
      std::chrono::seconds(30)))
      << verify->Log();
  verify->Terminate();
  EXPECT_EQ(verify->WaitExit(std::chrono::seconds(5)), 130) << verify->Log();
}

// What bounds the pause: a writer that nobody could wait for beforehand.
TEST_F(VerifyLive, AWriterThatBeginsMeanwhileHoldsTheStreamForHoldMaxAtMost) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  Sql first(db_.BlueInfo() + " application_name=first_job");
  first.Exec("BEGIN; INSERT INTO t VALUES (1)");
  const auto verify = LaunchVerify({"--hold-max", "150"});
  ASSERT_TRUE(verify->WaitForLog("first_job")) << verify->Log();
  Sql second(db_.BlueInfo() + " application_name=second_job");
  second.Exec("BEGIN; INSERT INTO t VALUES (2)");
  first.Exec("COMMIT");
  ASSERT_TRUE(verify->WaitForLog("snapshot took longer than 150 ms")) << verify->Log();
  EXPECT_TRUE(WaitUntil([&] { return green().Scalar("SELECT count(*) FROM t") == "1"; },
                        std::chrono::seconds(30)))
      << Log();
  ASSERT_TRUE(verify->WaitForLog("second_job")) << verify->Log();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.request"), "0");
  second.Exec("COMMIT");
  EXPECT_EQ(verify->WaitExit(), 0) << verify->Log();
  EXPECT_EQ(Json::parse(verify->Stdout()).at("rows"), 2);
}

// What conflicts with every lock but ACCESS SHARE is in force on all tables of both sides, and one
// that conflicts with that, too, stops the comparison where it has its snapshots.
TEST_F(VerifyLive, TakesNoLockBeyondAccessShare) {
  ExecBoth(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE keyless (v text);"
      "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE parts_1 PARTITION OF parts DEFAULT; CREATE TABLE gate (id int PRIMARY KEY);"
      "CREATE SEQUENCE s; ALTER TABLE keyless REPLICA IDENTITY FULL;"
      "INSERT INTO t SELECT g, 'v' FROM generate_series(1, 1000) AS g;"
      "INSERT INTO keyless SELECT 'v' FROM generate_series(1, 1000) AS g;"
      "INSERT INTO parts SELECT generate_series(1, 100)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  green().Exec("DELETE FROM t WHERE id = 7; DELETE FROM parts WHERE id = 8");
  Sql blue_holder(db_.BlueInfo());
  Sql green_holder = db_.GreenWriter();
  for (auto* holder : {&blue_holder, &green_holder}) {
    holder->Exec("BEGIN; LOCK TABLE t, keyless, parts, gate IN EXCLUSIVE MODE");
  }
  Sql gate = db_.GreenWriter();
  gate.Exec("SET lock_timeout = 0");
  green_holder.Exec("ROLLBACK; BEGIN; LOCK TABLE t, keyless, parts IN EXCLUSIVE MODE");
  gate.Exec("BEGIN; LOCK TABLE gate IN ACCESS EXCLUSIVE MODE");
  const auto verify = LaunchVerify();
  const std::string locks =
      "SELECT coalesce(string_agg(DISTINCT l.mode, ' ' ORDER BY l.mode), '')"
      " FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
      " WHERE a.datname = current_database() AND a.application_name LIKE 'pgteal verify%'"
      " AND l.locktype = 'relation'";
  ASSERT_TRUE(WaitUntil([&] { return green().Scalar(locks + " AND NOT granted") != ""; },
                        std::chrono::seconds(30)))
      << verify->Log();
  EXPECT_EQ(green().Scalar(locks), "AccessShareLock");
  EXPECT_THAT(blue().Scalar(locks), testing::AnyOf("", "AccessShareLock"));
  gate.Exec("ROLLBACK");
  ASSERT_EQ(verify->WaitExit(), 4) << verify->Stdout() << verify->Log();
  const Json report = Json::parse(verify->Stdout());
  EXPECT_EQ(report.at("differences"), 2);
  EXPECT_EQ(report.at("rows"), 2100);
}

TEST_F(VerifyLive, ATableEmptiedOrRewrittenMeanwhileIsComparedOnceMore) {
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

}  // namespace
}  // namespace pgteal::tests
