#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

class Pair : public PairTest {
 protected:
  std::string Difference() { return db_.Equal().message(); }
};

TEST_F(Pair, EmptyDatabasesAreEqual) { EXPECT_TRUE(db_.Equal()); }

TEST_F(Pair, SameRowsInAnotherOrderAreEqual) {
  ExecBoth("CREATE TABLE t(a int, b text)");
  blue().Exec("INSERT INTO t VALUES (1, 'x'), (2, NULL), (2, NULL)");
  green().Exec("INSERT INTO t VALUES (2, NULL), (2, NULL), (1, 'x')");
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Pair, AMissingDuplicateIsADifference) {
  ExecBoth("CREATE TABLE t(a int)");
  blue().Exec("INSERT INTO t VALUES (7), (7)");
  green().Exec("INSERT INTO t VALUES (7)");
  EXPECT_THAT(Difference(), HasSubstr("public.t: blue has 2 rows, green 1"));
  EXPECT_THAT(Difference(), HasSubstr("only in blue: 1 rows"));
}

TEST_F(Pair, NullAndEmptyTextDiffer) {
  ExecBoth("CREATE TABLE \"Odd name\"(a text)");
  blue().Exec("INSERT INTO \"Odd name\" VALUES (NULL)");
  green().Exec("INSERT INTO \"Odd name\" VALUES ('')");
  EXPECT_THAT(Difference(), HasSubstr("\"Odd name\""));
}

TEST_F(Pair, AMissingTableIsADifference) {
  blue().Exec("CREATE TABLE t(a int)");
  EXPECT_THAT(Difference(), HasSubstr("public.t"));
}

TEST_F(Pair, GreensOwnColumnsAndTheirOrderDoNotMatter) {
  blue().Exec("CREATE TABLE t(a int, b text); INSERT INTO t VALUES (1, 'x')");
  green().Exec(
      "CREATE TABLE t(b text, extra int DEFAULT 5, a bigint);"
      "INSERT INTO t(a, b) VALUES (1, 'x')");
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Pair, APartitionedTableEqualsAPlainOne) {
  blue().Exec(
      "CREATE TABLE t(a int) PARTITION BY RANGE (a);"
      "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);"
      "INSERT INTO t VALUES (3)");
  green().Exec("CREATE TABLE t(a int); INSERT INTO t VALUES (3)");
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Pair, CaughtUpMeansThatProgressHasReachedTheLog) {
  EXPECT_FALSE(db_.WaitCaughtUp(std::chrono::milliseconds(20)));
  green().Exec(
      "CREATE SCHEMA pgteal;"
      "CREATE TABLE pgteal.progress(slot text PRIMARY KEY, end_lsn pg_lsn);"
      "INSERT INTO pgteal.progress VALUES ('pgteal', '0/1')");
  EXPECT_FALSE(db_.WaitCaughtUp(std::chrono::milliseconds(20)));
  green().Exec("UPDATE pgteal.progress SET end_lsn = 'FFFF/0'");
  EXPECT_TRUE(db_.WaitCaughtUp());
}

TEST_F(Pair, SlotsAndPreparedTransactionsDoNotOutliveTheTest) {
  blue().Exec("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')");
  blue().Exec("BEGIN; CREATE TABLE p(a int); PREPARE TRANSACTION 'left_behind'");
}

TEST_F(Pair, TheTestAfterFindsNothing) {
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_prepared_xacts"), "0");
}

TEST_F(Pair, SessionsComeBackAfterARestart) {
  ExecBoth("CREATE TABLE t(a int)");
  db_.clusters().blue().Restart(PgCluster::StopMode::kImmediate);
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM t"), "0");
}

}  // namespace
}  // namespace pgteal::tests
