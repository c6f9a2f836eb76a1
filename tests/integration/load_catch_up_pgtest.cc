#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/gate.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// A load that is cut off between two tables: the second comes from a later snapshot.
class LoadCatchUp : public PairTest {
 protected:
  LoadCatchUp() : gate_(db_.clusters().green()) {
    blue().Exec(
        "CREATE TABLE parent (id int PRIMARY KEY, t text, n int);"
        "INSERT INTO parent SELECT g, repeat('x', 500), 0 FROM generate_series(1, 1000) g");
  }
  std::unique_ptr<PgtealProcess> Run() {
    return db_.PgtealVia("", gate_.ConnInfo(db_.name()), {"run", "--jobs", "1"});
  }
  void RunUntilItIsLeft(const std::string& table) {
    gate_.CutOn("COPY \"public\".\"" + table + "\"", Gate::Where::kBefore);
    const auto run = Run();
    EXPECT_EQ(run->WaitExit(), 1);
    EXPECT_THAT(run->Log(), HasSubstr("table public.parent copied"));
  }
  std::string State() { return green().Scalar("SELECT state FROM pgteal.deployment"); }
  bool BecomesStreaming() {
    return WaitUntil([this] { return State() == "streaming"; }, seconds(60));
  }
  std::string Keys(Sql& sql) {
    return sql.Scalar(
        "SELECT coalesce(string_agg(conrelid::regclass || ' ' || conname || ' '"
        " || pg_get_constraintdef(oid), ', ' ORDER BY conrelid::regclass::text), '')"
        " FROM pg_constraint WHERE contype = 'f'");
  }

  Gate gate_;
};

TEST_F(LoadCatchUp, AForeignKeyWaitsForItsPartnerAndIsCheckedOnceItIsThere) {
  blue().Exec(
      "CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent (id));"
      "INSERT INTO child SELECT g, g FROM generate_series(1, 100) g");
  RunUntilItIsLeft("child");
  blue().Exec("INSERT INTO parent VALUES (5000, 'late', 0); INSERT INTO child VALUES (5000, 5000)");
  // The first check fails for want of the partner, the second one comes after catching up.
  gate_.CutOn("VALIDATE CONSTRAINT", Gate::Where::kBefore, 2);
  auto run = Run();
  EXPECT_EQ(run->WaitExit(), 1) << run->Log();
  EXPECT_EQ(State(), "catching_up");
  EXPECT_EQ(green().Scalar("SELECT convalidated FROM pg_constraint WHERE contype = 'f'"), "f");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM parent WHERE id = 5000"), "1");
  EXPECT_EQ(gate_.cuts(), 2U);

  run = Run();
  ASSERT_TRUE(BecomesStreaming()) << run->Log();
  EXPECT_TRUE(run->WaitForLog("foreign keys checked on green"));  // said once the state is set
  EXPECT_EQ(Keys(blue()), Keys(green()));
  blue().Exec("UPDATE parent SET n = 1; DELETE FROM child WHERE id < 10");
  ExpectCaughtUpAndEqual();
}

TEST_F(LoadCatchUp, APartitionedTableGetsItsForeignKeyOnceThePartnerIsThere) {
  blue().Exec(
      "CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent (id))"
      " PARTITION BY RANGE (id);"
      "CREATE TABLE child_1 PARTITION OF child FOR VALUES FROM (1) TO (10000);"
      "INSERT INTO child SELECT g, g FROM generate_series(1, 100) g");
  RunUntilItIsLeft("child_1");
  blue().Exec("INSERT INTO parent VALUES (5000, 'late', 0); INSERT INTO child VALUES (5000, 5000)");
  const auto run = Run();
  ASSERT_TRUE(BecomesStreaming()) << run->Log();
  EXPECT_TRUE(run->WaitForLog("foreign keys checked on green"));  // said once the state is set
  EXPECT_EQ(Keys(blue()), Keys(green()));
  blue().Exec("UPDATE parent SET n = 1; DELETE FROM child WHERE id < 10");
  ExpectCaughtUpAndEqual();
}

TEST_F(LoadCatchUp, AColumnDroppedInBetweenIsLeftOnGreenAndNothingIsLost) {
  blue().Exec(
      "CREATE TABLE child (id int PRIMARY KEY, gone text, n int); CREATE INDEX ON child (gone);"
      "INSERT INTO child SELECT g, 'gone', g FROM generate_series(1, 100) g");
  RunUntilItIsLeft("child");
  blue().Exec("ALTER TABLE parent DROP COLUMN t; ALTER TABLE child DROP COLUMN gone");
  blue().Exec("UPDATE parent SET n = id WHERE id < 10; UPDATE child SET n = -n WHERE id < 10");
  const auto run = Run();
  ASSERT_TRUE(BecomesStreaming()) << run->Log();
  blue().Exec("INSERT INTO parent VALUES (5000, 7); INSERT INTO child VALUES (5000, 7)");
  ExpectCaughtUpAndEqual();
}

TEST_F(LoadCatchUp, AColumnThatGreenNeedsAndBlueHasDroppedIsNamed) {
  blue().Exec(
      "CREATE TABLE child (id int PRIMARY KEY, gone text NOT NULL, n int);"
      "INSERT INTO child SELECT g, 'gone', g FROM generate_series(1, 100) g");
  RunUntilItIsLeft("child");
  blue().Exec("ALTER TABLE child DROP COLUMN gone");
  auto run = Run();
  EXPECT_EQ(run->WaitExit(), 1);
  EXPECT_THAT(run->Log(), HasSubstr("not null violation, relation public.child, column gone"));
  db_.GreenWriter().Exec("ALTER TABLE child DROP COLUMN gone");
  run = Run();
  ASSERT_TRUE(BecomesStreaming()) << run->Log();
  blue().Exec("UPDATE child SET n = 0 WHERE id < 10");
  ExpectCaughtUpAndEqual();
}

class LoadCatchUpColumn : public LoadCatchUp, public testing::WithParamInterface<const char*> {};

TEST_P(LoadCatchUpColumn, AddedInBetweenIsRefusedByNameUntilGreenHasIt) {
  const std::string table = GetParam();
  blue().Exec(
      "CREATE TABLE child (id int PRIMARY KEY);"
      "INSERT INTO child SELECT generate_series(1, 100)");
  RunUntilItIsLeft("child");
  const std::string add = "ALTER TABLE " + table + " ADD COLUMN added int NOT NULL DEFAULT 7";
  blue().Exec(add);
  auto run = Run();
  EXPECT_EQ(run->WaitExit(), 3) << run->Log();
  EXPECT_THAT(run->Log(), HasSubstr("green lacks tables or columns that are to be copied: public." +
                                    table + ".added"));
  db_.GreenWriter().Exec(add);
  run = Run();
  ASSERT_TRUE(BecomesStreaming()) << run->Log();
  blue().Exec("UPDATE " + table + " SET added = 8 WHERE id < 10");
  ExpectCaughtUpAndEqual();
}

// Copied already, and not yet.
INSTANTIATE_TEST_SUITE_P(Tables, LoadCatchUpColumn, testing::Values("parent", "child"));

}  // namespace
}  // namespace pgteal::tests
