#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

constexpr const char* kTable =
    "CREATE TABLE t(id int PRIMARY KEY, d date, ts timestamptz, i interval, b bytea, f float8,"
    " r real, m money, a int[], x xml, n numeric, dr daterange, v text, c text)";

class Settings : public StreamTest {
 protected:
  // A role of pgteal's own, the same on both sides; the test's sessions stay as they are.
  void SetUp() override { ExecBoth("CREATE ROLE " + role_ + " LOGIN SUPERUSER"); }
  void TearDown() override { ExecBoth("DROP OWNED BY " + role_ + "; DROP ROLE " + role_); }
  void SetEverywhere(const std::string& setting) {
    ExecBoth("ALTER ROLE " + role_ + " SET " + setting);
  }
  void SetOnGreen(const std::string& setting) {
    green().Exec("ALTER ROLE " + role_ + " SET " + setting);
  }
  void ExpectAppliedAsRole(const Args& args = {}) {
    const std::string user = " user=" + role_;
    ASSERT_EQ(RunVia(db_.BlueInfo() + user, db_.GreenInfo() + user, args), 0) << Log();
    EXPECT_TRUE(db_.Equal());
  }
  void Write() {
    blue().Exec(
        "INSERT INTO t SELECT g, '2024-03-02'::date + g % 12, '2024-02-01 03:04:05+07',"
        " '1 mon -2 days 03:04:05', '\\x00ff5c', 0.1 + g, 1.1::real, 12.34, '{1,NULL,3}',"
        " '<a>1</a>text', 1.50, '[2024-01-02,2024-02-01)', E'a\\\\b''c', NULL"
        " FROM generate_series(1, 300) AS g");
    blue().Exec(
        "INSERT INTO t(id, d, ts, i, f) VALUES (1000, '0044-03-05 BC', '1999-01-08 04:05:06',"
        " '-1 day', 'NaN'), (1001, 'infinity', '-infinity', '1 year', '-0')");
    blue().Exec("UPDATE t SET d = d + 1, i = i * 2 WHERE id % 2 = 0");
    blue().Exec("DELETE FROM t WHERE id % 3 = 0");
  }

 private:
  const std::string role_ = "hostile_" + db_.name();
};

TEST_F(Settings, ThatChangeHowValuesPrintAndRead) {
  ExecBoth(kTable);
  ExecBoth("CREATE TABLE f AS SELECT * FROM t; ALTER TABLE f REPLICA IDENTITY FULL");
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedAsRole());
  for (const char* setting :
       {"DateStyle = 'SQL, DMY'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'",
        "extra_float_digits = -15", "lc_monetary = 'C'", "array_nulls = off",
        "xmloption = 'document'", "search_path = 'nowhere'", "TimeZone = 'Asia/Kathmandu'",
        "standard_conforming_strings = off", "backslash_quote = off", "quote_all_identifiers = on",
        "client_encoding = 'LATIN1'", "escape_string_warning = on"}) {
    SetEverywhere(setting);
  }
  Write();
  blue().Exec("INSERT INTO f SELECT * FROM t");
  blue().Exec("UPDATE f SET c = 'x' WHERE id < 50");
  blue().Exec("DELETE FROM f WHERE id > 900");
  for (const char* mode : {"off", "on"}) {
    ASSERT_NO_FATAL_FAILURE(ExpectAppliedAsRole({"--binary", mode}));
    blue().Exec("UPDATE t SET id = -id, ts = ts + '1 day'");
    blue().Exec("UPDATE f SET v = v || '\xc3\xa4'");
  }
  ExpectAppliedAsRole({"--binary", "on"});
}

TEST_F(Settings, ThatCutSessionsShort) {
  ExecBoth(kTable);
  for (const char* setting :
       {"statement_timeout = '1ms'", "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'", "idle_session_timeout = '1ms'",
        "default_transaction_read_only = on", "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on", "temp_file_limit = 0", "work_mem = '64kB'",
        "plan_cache_mode = 'force_custom_plan'", "row_security = off",
        "session_replication_role = 'local'", "log_statement = 'all'"}) {
    SetEverywhere(setting);
  }
  SetOnGreen("transaction_timeout = '1ms'");
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedAsRole());
  Write();
  ExpectAppliedAsRole();
}

// Arrays are unnested in work_mem or in temporary files, of which this green allows none.
TEST_F(Settings, ABatchOfManyRowsNeedsNoTemporaryFiles) {
  constexpr const char* kFill =
      "INSERT INTO wide SELECT g, repeat('x', 60) FROM generate_series(1, 40000) AS g";
  ExecBoth("CREATE TABLE wide (id int PRIMARY KEY, v text)");
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedAsRole());
  SetOnGreen("temp_file_limit = 0");
  SetOnGreen("work_mem = '64kB'");
  blue().Exec(kFill);
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedAsRole());
  blue().Exec(
      "DO $do$ BEGIN FOR i IN 0..39 LOOP"
      " UPDATE wide SET v = v || i WHERE id BETWEEN i * 1000 AND i * 1000 + 999; COMMIT;"
      " END LOOP; END $do$");
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedAsRole());
  blue().Exec("DELETE FROM wide WHERE id > 100");
  ExpectAppliedAsRole();
}

// A pair of its own: it changes blue's settings.
TEST(SettingsOfBlue, AShortSenderTimeoutSurvivesALockOnGreen) {
  ClusterPair clusters(DefaultVersions(), {{"wal_sender_timeout", "2s"}});
  DatabasePair db(clusters);
  db.ExecBoth("CREATE TABLE t(id int PRIMARY KEY, v text)");
  const auto run = db.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming slot="));
  db.blue().Exec("INSERT INTO t VALUES (0, 'first')");
  ASSERT_TRUE(db.WaitCaughtUp());
  const char* walsender = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'pgteal'";
  const std::string pid = db.blue().Scalar(walsender);
  Sql keeper = db.GreenWriter();
  keeper.Exec("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  // More than every buffer on the way holds.
  for (int i = 0; i < 30; ++i) {
    db.blue().Exec("INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series(1 + " +
                   std::to_string(i) + " * 4000, 4000 + " + std::to_string(i) + " * 4000) AS g");
  }
  EXPECT_FALSE(
      WaitUntil([&] { return db.blue().Scalar(walsender) != pid; }, std::chrono::seconds(30)))
      << "the walsender has ended";
  keeper.Exec("COMMIT");
  EXPECT_TRUE(db.WaitCaughtUp(std::chrono::seconds(60))) << run->Log();
  EXPECT_EQ(db.blue().Scalar(walsender), pid);
  EXPECT_TRUE(db.Equal());
  EXPECT_LT(run->PeakRssBytes(), 300U << 20);
}

}  // namespace
}  // namespace pgteal::tests
