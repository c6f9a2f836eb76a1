#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

// Values that stay out of line: blue does not send them again when an update leaves them alone.
constexpr const char* kTable =
    "CREATE TABLE t(id int PRIMARY KEY, big text, n int, doc text, raw bytea);"
    "ALTER TABLE t ALTER big SET STORAGE EXTERNAL, ALTER doc SET STORAGE EXTERNAL,"
    " ALTER raw SET STORAGE EXTERNAL;";
constexpr const char* kBig = "repeat('big' || g, 1000)";
constexpr const char* kHuge = "repeat('huge' || g, 80000)";

// {replica identity, format of the stream}
using Param = std::tuple<const char*, const char*>;

class Toast : public StreamTest, public testing::WithParamInterface<Param> {
 protected:
  void SetUp() override {
    ExecBoth(std::string(kTable) + "ALTER TABLE t REPLICA IDENTITY " + std::get<0>(GetParam()));
    Bootstrap();
  }
  void Insert(int first, int last, const std::string& big = kBig) {
    blue().Exec("INSERT INTO t SELECT g, " + big + ", g, " + kBig +
                ", decode(repeat('00ff', 1500)," + "'hex') FROM generate_series(" +
                std::to_string(first) + ", " + std::to_string(last) + ") AS g");
  }
  void ExpectAppliedInMode() { ExpectApplied({"--binary", std::get<1>(GetParam())}); }
};

TEST_P(Toast, UntouchedColumnsStay) {
  Insert(1, 220);
  Insert(1001, 1002, kHuge);
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedInMode());
  blue().Exec("UPDATE t SET n = -n");
  blue().Exec("UPDATE t SET doc = 'short' WHERE id % 3 = 0");
  blue().Exec("UPDATE t SET big = NULL, n = 7 WHERE id % 5 = 0");
  blue().Exec("UPDATE t SET raw = '\\x01', doc = 'x' WHERE id % 7 = 0");
  ExpectAppliedInMode();
}

TEST_P(Toast, ChainsWithinABatchKeepWhatTheyDoNotSend) {
  Insert(1, 20);
  blue().Exec("UPDATE t SET n = n + 1");
  blue().Exec("UPDATE t SET doc = 'new' WHERE id < 10");
  blue().Exec("UPDATE t SET n = n + 1");
  blue().Exec("DELETE FROM t WHERE id = 3");
  Insert(3, 3);
  blue().Exec("UPDATE t SET n = 0 WHERE id = 3");
  blue().Exec(
      "BEGIN; DELETE FROM t WHERE id = 4; INSERT INTO t(id, big) VALUES (4, 'small');"
      "UPDATE t SET n = 9 WHERE id = 4; COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedInMode());
  // Updates only: the earlier images lack columns, too.
  blue().Exec("UPDATE t SET n = n + 1");
  blue().Exec("UPDATE t SET big = 'b' WHERE id % 2 = 0");
  blue().Exec("UPDATE t SET doc = 'd' WHERE id % 3 = 0");
  blue().Exec("UPDATE t SET n = n + 1");
  ExpectAppliedInMode();
}

TEST_P(Toast, AKeyThatMovesTakesItsValuesAlong) {
  Insert(1, 20);
  blue().Exec("UPDATE t SET id = id + 100 WHERE id <= 5");
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedInMode());
  blue().Exec("UPDATE t SET id = id + 1000");
  blue().Exec("UPDATE t SET n = 1 WHERE id > 1010");
  blue().Exec("UPDATE t SET id = -id, n = 2 WHERE id % 2 = 0");
  ExpectAppliedInMode();
}

TEST_P(Toast, RowByRow) {
  Insert(1, 10);
  ASSERT_NO_FATAL_FAILURE(ExpectAppliedInMode());
  green().Exec(
      "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing();"
      "ALTER TABLE t ENABLE ALWAYS TRIGGER g");
  blue().Exec("UPDATE t SET n = -n");
  blue().Exec("UPDATE t SET id = id + 100, big = 'x' WHERE id < 4");
  blue().Exec("DELETE FROM t WHERE id = 6");
  ExpectAppliedInMode();
}

INSTANTIATE_TEST_SUITE_P(
    All, Toast, testing::Combine(testing::Values("DEFAULT", "FULL"), testing::Values("off", "on")),
    [](const auto& mode) {
      return std::string(std::get<0>(mode.param)) + "_" + std::get<1>(mode.param);
    });

class ToastedKey : public StreamTest {};

TEST_F(ToastedKey, IsFoundAndMoves) {
  ExecBoth(
      "CREATE TABLE t(k text NOT NULL, n int, other text);"
      "ALTER TABLE t ALTER k SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;"
      "CREATE UNIQUE INDEX t_k ON t(k); ALTER TABLE t REPLICA IDENTITY USING INDEX t_k");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  // Long enough for TOAST, just short enough for the index.
  blue().Exec(
      "INSERT INTO t SELECT rpad(g::text, 2600, 'key'), g, repeat('x', 5000)"
      " FROM generate_series(1, 20) AS g");
  blue().Exec("UPDATE t SET n = n + 1 WHERE n > 10");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  blue().Exec("UPDATE t SET n = n + 1");
  blue().Exec("UPDATE t SET k = 'z' || k WHERE n < 5");
  blue().Exec("UPDATE t SET other = 'y' WHERE n = 7");
  blue().Exec("DELETE FROM t WHERE n = 8");
  ExpectApplied();
}

TEST_F(ToastedKey, IsFoundByTheWholeRow) {
  ExecBoth(
      "CREATE TABLE t(a text, b text, n int);"
      "ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;"
      "ALTER TABLE t REPLICA IDENTITY FULL");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec(
      "INSERT INTO t SELECT repeat('a', 5000 + g / 2), repeat('b', 3000), g"
      " FROM generate_series(1, 20) AS g");
  blue().Exec("UPDATE t SET n = n / 4");
  blue().Exec("UPDATE t SET b = 'short' WHERE n = 2");
  blue().Exec("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE n = 1)");
  ExpectApplied();
}

// A row filter makes an insert of an update that moves a row into it, without the values that the
// update left alone: they are not to be had, and nothing may take their place.
class FilteredToast : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth(kTable);
    blue().Exec("CREATE PUBLICATION pgteal FOR TABLE t WHERE (id > 5)");
    ASSERT_NO_FATAL_FAILURE(Bootstrap());
    blue().Exec("INSERT INTO t(id, big) VALUES (1, repeat('big', 1000)), (10, repeat('b', 1000))");
    blue().Exec("UPDATE t SET id = id + 100 WHERE id = 1");
  }
  void ExpectRefused() {
    EXPECT_EQ(RunUntilCaughtUp(), 3) << Log();
    ExpectLogNames({"insert into public.t without a TOAST value", "drop the row filter"});
    EXPECT_EQ(green().Scalar("SELECT count(*) FROM t WHERE id > 100"), "0");
  }
};

TEST_F(FilteredToast, AnInsertWithoutAValueIsRefused) { ExpectRefused(); }

TEST_F(FilteredToast, AnInsertWithoutAValueIsRefusedRowByRow) {
  green().Exec(
      "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing();"
      "ALTER TABLE t ENABLE ALWAYS TRIGGER g");
  ExpectRefused();
}

}  // namespace
}  // namespace pgteal::tests
