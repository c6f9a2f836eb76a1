#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

// Large transactions are applied while blue still sends them.

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

class EarlyTest : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth(
        "CREATE TABLE big(id int PRIMARY KEY, v text); CREATE TABLE small(id int PRIMARY KEY);"
        "CREATE TABLE twins(v text); ALTER TABLE twins REPLICA IDENTITY FULL");
    db_.clusters().blue().Connect().Exec("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
    db_.clusters().blue().Reload();
    ASSERT_NO_FATAL_FAILURE(Bootstrap());
    ASSERT_NO_FATAL_FAILURE(Start());
  }
  // About 20 MB of the stream, in a transaction that stays open.
  void BeginLarge(int first = 1) {
    blue().Exec("BEGIN; INSERT INTO big SELECT g, repeat('v', 200) FROM generate_series(" +
                std::to_string(first) + ", " + std::to_string(first + 79'999) + ") AS g");
  }
  // Green has rows of it that nobody sees yet.
  bool HasBegun() {
    return WaitUntil(
        [this] { return green().Scalar("SELECT pg_relation_size('big') > 8000000") == "t"; },
        seconds(30));
  }
  bool WaitForSmall(int id) {
    return WaitUntil(
        [&] {
          return green().Scalar("SELECT count(*) FROM small WHERE id = " + std::to_string(id)) ==
                 "1";
        },
        seconds(30));
  }
  // Sessions of green that hold a lock on the table.
  std::string Lockers() {
    return green().Scalar(
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE relation = 'big'::regclass"
        " AND pid <> pg_backend_pid()");
  }
  void ExpectEqualAfterwards() {
    ASSERT_TRUE(db_.WaitCaughtUp()) << Log();
    EXPECT_TRUE(db_.Equal());
  }
};

TEST_F(EarlyTest, IsOnGreenBeforeItCommitsAndOthersPassIt) {
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  ASSERT_TRUE(HasBegun()) << Log();
  Sql other(db_.BlueInfo());
  other.Exec("INSERT INTO small VALUES (1)");
  EXPECT_TRUE(WaitForSmall(1)) << Log();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM big"), "0");
  blue().Exec("UPDATE big SET v = 'w' WHERE id <= 1000; DELETE FROM big WHERE id > 79000; COMMIT");
  other.Exec("UPDATE big SET v = 'x' WHERE id = 1");
  ASSERT_NO_FATAL_FAILURE(ExpectEqualAfterwards());
  EXPECT_TRUE(process().WaitForLog("was applied early")) << Log();
  StopCleanly();
}

TEST_F(EarlyTest, ARollbackLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  ASSERT_TRUE(HasBegun()) << Log();
  blue().Exec("ROLLBACK");
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  blue().Exec("COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectEqualAfterwards());
  EXPECT_EQ(Lockers(), "0");
  StopCleanly();
}

TEST_F(EarlyTest, ARolledBackSavepointIsLeftOut) {
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  blue().Exec(
      "SAVEPOINT a; INSERT INTO big SELECT g, repeat('v', 200) FROM generate_series(100001, 180000)"
      " AS g");
  ASSERT_TRUE(HasBegun()) << Log();
  blue().Exec("ROLLBACK TO SAVEPOINT a; INSERT INTO big VALUES (100001, 'once more'); COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectEqualAfterwards());
  StopCleanly();
}

// Green alone has this index: blue's locks do not keep the two apart. Without giving way the
// small one would wait for the large one, and that one for blue.
TEST_F(EarlyTest, GivesWayToWhoeverWaitsForIt) {
  green().Exec("CREATE UNIQUE INDEX ON big(left(v, 1)) WHERE id < 0");
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  blue().Exec("INSERT INTO big VALUES (-1, 'a')");
  blue().Exec(
      "INSERT INTO big SELECT g, repeat('v', 200) FROM generate_series(100001, 180000) AS g");
  ASSERT_TRUE(HasBegun()) << Log();
  Sql other(db_.BlueInfo());
  other.Exec("INSERT INTO big VALUES (-2, 'a'); INSERT INTO small VALUES (1)");
  EXPECT_TRUE(WaitForSmall(1)) << Log();
  other.Exec("DELETE FROM big WHERE id = -2");
  blue().Exec("COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectEqualAfterwards());
  StopCleanly();
}

TEST_F(EarlyTest, GivesWayToDdlOnGreen) {
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  ASSERT_TRUE(HasBegun()) << Log();
  Sql operator_session(db_.GreenInfo());
  operator_session.Exec("SET statement_timeout = '20s'; SET default_transaction_read_only = off");
  operator_session.Exec("ALTER TABLE big ADD extra int");
  EXPECT_TRUE(process().WaitForLog("gives way")) << Log();
  blue().Exec("COMMIT");
  ASSERT_TRUE(db_.WaitCaughtUp()) << Log();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM big"), "80000");
  StopCleanly();
}

TEST_F(EarlyTest, AStopDoesNotWaitForIt) {
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  ASSERT_TRUE(HasBegun()) << Log();
  process().Terminate();
  EXPECT_EQ(process().WaitExit(seconds(5)), 130) << Log();
  blue().Exec("COMMIT");
  ASSERT_NO_FATAL_FAILURE(Apply());
  EXPECT_TRUE(db_.Equal());
}

TEST_F(EarlyTest, AStopDoesNotWaitForTheLockThatItWaitsFor) {
  Sql other = db_.GreenWriter();
  other.Exec("BEGIN; LOCK TABLE big IN SHARE MODE");
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  ASSERT_TRUE(WaitUntil(
      [this] {
        return green().Scalar(
                   "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'big'::regclass"
                   " AND NOT granted") == "t";
      },
      seconds(30)))
      << Log();
  const auto start = std::chrono::steady_clock::now();
  StopCleanly();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5)) << Log();
  other.Exec("ROLLBACK");
  blue().Exec("COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
}

TEST_F(EarlyTest, AKillLosesAndDoublesNothing) {
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  ASSERT_TRUE(HasBegun()) << Log();
  process().Kill9();
  process().WaitExit();
  blue().Exec("INSERT INTO small VALUES (7); COMMIT");
  ASSERT_NO_FATAL_FAILURE(Apply());
  EXPECT_TRUE(db_.Equal());
}

TEST_F(EarlyTest, ATruncateIsLeftToTheCommit) {
  blue().Exec("INSERT INTO small VALUES (1)");
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  blue().Exec(
      "TRUNCATE small; INSERT INTO big SELECT g, repeat('v', 200)"
      " FROM generate_series(100001, 180000) AS g");
  ASSERT_TRUE(process().WaitForLog("is not applied early")) << Log();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM small"), "1");
  blue().Exec("COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectEqualAfterwards());
  StopCleanly();
}

// Two transactions that each delete one of two equal rows would take the same one on green.
TEST_F(EarlyTest, RowsWithoutAKeyAreLeftToTheCommit) {
  blue().Exec("INSERT INTO twins VALUES ('a'), ('a')");
  ASSERT_NO_FATAL_FAILURE(BeginLarge());
  blue().Exec(
      "DELETE FROM twins WHERE ctid = '(0,1)'; INSERT INTO big SELECT g, repeat('v', 200)"
      " FROM generate_series(100001, 180000) AS g");
  ASSERT_TRUE(process().WaitForLog("is not applied early")) << Log();
  Sql other(db_.BlueInfo());
  other.Exec("DELETE FROM twins WHERE ctid = '(0,2)'; INSERT INTO small VALUES (1)");
  EXPECT_TRUE(WaitForSmall(1)) << Log();
  blue().Exec("COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectEqualAfterwards());
  StopCleanly();
}

}  // namespace
}  // namespace pgteal::tests
