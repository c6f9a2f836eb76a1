#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"
#include "tests/support/temp_folder.h"

namespace pgteal::tests {
namespace {

class Large : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth(
        "CREATE TABLE t(id int PRIMARY KEY, v text); CREATE TABLE log(id int, v text);"
        "ALTER TABLE log REPLICA IDENTITY FULL");
  }
  // Blue sends what is under way in pieces.
  void StreamEarly() {
    db_.clusters().blue().Connect().Exec("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
    db_.clusters().blue().Reload();
  }
  void Insert(Sql& sql, int first, int last) {
    sql.Exec("INSERT INTO t SELECT g, repeat('x', g % 50) FROM generate_series(" +
             std::to_string(first) + ", " + std::to_string(last) + ") AS g");
  }
};

// More rows of a table than go into one statement, and just as many as go into two.
TEST_F(Large, UpdatesAndDeletesInSeveralStatements) {
  Insert(blue(), 1, 20000);
  green().Exec("INSERT INTO t SELECT g, repeat('x', g % 50) FROM generate_series(1, 20000) AS g");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("UPDATE t SET v = 'u' || id WHERE id <= 8192");
  blue().Exec("DELETE FROM t WHERE id > 10000 AND id % 2 = 0");
  blue().Exec("UPDATE t SET v = 'w' || id WHERE id % 2 = 1");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("change by change")));
}

TEST_F(Large, StreamedWithSavepointsBesideSmallOnes) {
  StreamEarly();
  ASSERT_NO_FATAL_FAILURE(Start());
  Sql small(db_.BlueInfo());
  Sql second(db_.BlueInfo());
  blue().Exec("BEGIN");
  Insert(blue(), 1, 50000);
  small.Exec("INSERT INTO log VALUES (1, 'small')");
  blue().Exec("SAVEPOINT a");
  Insert(blue(), 50001, 80000);
  second.Exec("BEGIN");
  Insert(second, 1000001, 1020000);
  blue().Exec("SAVEPOINT b; UPDATE t SET v = 'b' WHERE id % 10 = 0");
  small.Exec("INSERT INTO log VALUES (2, 'small')");
  blue().Exec("ROLLBACK TO b; SAVEPOINT c");
  Insert(blue(), 80001, 120000);
  blue().Exec("RELEASE c; ROLLBACK TO a");
  Insert(blue(), 60001, 200000);
  second.Exec("SAVEPOINT x; DELETE FROM t WHERE id > 1010000; ROLLBACK TO x; COMMIT");
  blue().Exec("SAVEPOINT d; DELETE FROM t WHERE id % 3 = 0; RELEASE d");
  small.Exec("UPDATE log SET v = 'changed'");
  blue().Exec("UPDATE t SET id = -id WHERE id BETWEEN 100 AND 200; COMMIT");
  small.Exec("BEGIN");
  Insert(small, 2000001, 2030000);
  small.Exec("ROLLBACK");
  ASSERT_TRUE(db_.WaitCaughtUp(std::chrono::seconds(120))) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Large, StreamedAndCutByAKill) {
  StreamEarly();
  ASSERT_NO_FATAL_FAILURE(Start());
  blue().Exec("BEGIN");
  Insert(blue(), 1, 30000);
  process().Kill9();
  Insert(blue(), 30001, 60000);
  ASSERT_NO_FATAL_FAILURE(Start());
  blue().Exec("INSERT INTO log SELECT id, v FROM t; COMMIT");
  ASSERT_TRUE(db_.WaitCaughtUp(std::chrono::seconds(60))) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Large, OfTwoMillionRowsFitInto300Megabytes) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 2000000) AS g");
  ASSERT_EQ(RunUntilCaughtUp(), 0) << Log();
  EXPECT_LT(process().PeakRssBytes(), 300U << 20);
  EXPECT_TRUE(db_.Equal());
}

// Blue does not stream it (a large work_mem), so that it is spooled once it is too big for memory.
TEST_F(Large, SpooledWithEveryKindOfChange) {
  db_.clusters().blue().Connect().Exec("ALTER SYSTEM SET logical_decoding_work_mem = '1GB'");
  db_.clusters().blue().Reload();
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(blue(), 1, 1000);
  blue().Exec("BEGIN");
  Insert(blue(), 1001, 120000);
  blue().Exec(
      "UPDATE t SET v = 'u' WHERE id % 4 = 0; TRUNCATE log;"
      "INSERT INTO log SELECT id, v FROM t WHERE id < 500;"
      "UPDATE log SET v = NULL WHERE id < 50; UPDATE t SET id = -id WHERE id < 300;"
      "DELETE FROM t WHERE id % 5 = 0; COMMIT");
  Insert(blue(), 500000, 500100);
  ExpectApplied();
}

TEST_F(Large, AFolderThatCannotBeWrittenIsNamed) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(blue(), 1, 10);
  EXPECT_NE(RunUntilCaughtUp({"--spool-folder", "/proc/no/such/folder"}), 0);
  ExpectLogNames({"/proc/no/such/folder", "hint"});
  ExpectApplied();
}

TEST_F(Large, ASpoolThatIsFullStopsAndLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Insert(blue(), 1, 10);
  blue().Exec(
      "INSERT INTO log SELECT g, md5(g::text) || md5((-g)::text)"
      " FROM generate_series(1, 400000) AS g");
  Insert(blue(), 11, 20);
  EXPECT_NE(RunUntilCaughtUp({"--spool-limit", "1MB"}), 0);
  ExpectLogNames({"spool", "hint"});
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM log"), "0");
  const TempFolder folder("spool");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--spool-folder", folder.path().string()}));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "spool files are left behind";
}

}  // namespace
}  // namespace pgteal::tests
