#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

constexpr const char* kSecret = "geheim4711";

class Conflicts : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth(
        "CREATE TABLE t(id int PRIMARY KEY, mail text UNIQUE, v text);"
        "CREATE TABLE other(id int PRIMARY KEY)");
    ASSERT_NO_FATAL_FAILURE(Bootstrap());
    blue().Exec(std::string("INSERT INTO t SELECT g, '") + kSecret + "' || g, '" + kSecret +
                "' FROM generate_series(1, 10) AS g");
    ASSERT_NO_FATAL_FAILURE(Apply());
  }
  std::string Recorded() {
    return green().Scalar(
        "SELECT coalesce(string_agg(operation || ' ' || reason || ' ' || "
        "resolution, ', ' ORDER BY id), '') FROM pgteal.conflict");
  }
};

struct Case {
  const char* name;
  const char* green;      // what somebody did to green
  const char* blue;       // what blue does then
  const char* operation;  // as the message calls it
  const char* state;      // SQLSTATE, or words
};

const Case kCases[] = {
    {"UpdateOfAMissingRow", "DELETE FROM t WHERE id = 3",
     "UPDATE t SET v = 'geheim4711x' WHERE id = 3", "update", "green does not hold the row"},
    {"DeleteOfAMissingRow", "DELETE FROM t WHERE id = 3", "DELETE FROM t WHERE id = 3", "delete",
     "green does not hold the row"},
    {"InsertOfADuplicate", "INSERT INTO t VALUES (77, 'geheim4711green', 'green')",
     "INSERT INTO t VALUES (77, 'geheim4711blue', 'blue')", "insert", "23505"},
    {"InsertOfASecondKeysDuplicate", "INSERT INTO t VALUES (78, 'geheim4711x', 'green')",
     "INSERT INTO t VALUES (77, 'geheim4711x', 'blue')", "insert", "23505"},
    {"UpdateToASecondKeysDuplicate", "INSERT INTO t VALUES (78, 'geheim4711x', 'green')",
     "UPDATE t SET mail = 'geheim4711x' WHERE id = 3", "update", "23505"},
    {"KeyMovedOntoARowOfGreens", "INSERT INTO t VALUES (77, 'geheim4711green', 'green')",
     "UPDATE t SET id = 77 WHERE id = 3", "update", "23505"},
};

class ConflictKinds : public Conflicts, public testing::WithParamInterface<Case> {
 protected:
  void Collide() {
    green().Exec(GetParam().green);
    blue().Exec("INSERT INTO other VALUES (1)");
    blue().Exec(GetParam().blue);
    blue().Exec("INSERT INTO other VALUES (2)");
  }
};

TEST_P(ConflictKinds, StopAndAreNamedWithoutTheirValues) {
  Collide();
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  ExpectLogNames(
      {"public.t", "key (id)", GetParam().operation, GetParam().state, "xid ", "lsn ", "hint"});
  ExpectNotLogged(kSecret);
  // What came before is there, nothing after it.
  EXPECT_EQ(Recorded(), "");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM other WHERE id = 2"), "0");
}

TEST_P(ConflictKinds, AreSkippedOnRequest) {
  Collide();
  ASSERT_NO_FATAL_FAILURE(Apply({"--on-conflict", "skip"}));
  EXPECT_THAT(Recorded(), testing::StartsWith(GetParam().operation));
  EXPECT_THAT(Recorded(), testing::EndsWith("skipped"));
  ExpectNotLogged(kSecret);
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM other"), "2");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.conflict WHERE relation = 'public.t' AND"
                           " xid > 0 AND end_lsn > '0/0' AND row_data ? 'id'"),
            "1");
}

TEST_P(ConflictKinds, AreOverwrittenOnRequest) {
  Collide();
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", "overwrite"}));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.conflict"), "1") << Recorded();
  ExpectNotLogged(kSecret);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ConflictKinds, testing::ValuesIn(kCases),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_F(Conflicts, PoliciesLeaveSoundChangesAlone) {
  for (const char* policy : {"skip", "overwrite"}) {
    blue().Exec("UPDATE t SET v = v || 'x', id = id + 100");
    blue().Exec("INSERT INTO t SELECT g, 'm' || g FROM generate_series(1, 50) AS g");
    blue().Exec("DELETE FROM t WHERE id <= 50");
    ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", policy}));
  }
  EXPECT_EQ(Recorded(), "");
}

TEST_F(Conflicts, ManyOfThemInOneTransaction) {
  green().Exec("DELETE FROM t WHERE id % 2 = 0");
  blue().Exec("BEGIN; UPDATE t SET v = 'n'; UPDATE t SET v = 'o'; COMMIT");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", "overwrite"}));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.conflict"), "5");
}

TEST_F(Conflicts, OnceMendedTheStopIsOver) {
  green().Exec("CREATE TABLE saved AS SELECT * FROM t WHERE id = 3; DELETE FROM t WHERE id = 3");
  blue().Exec("UPDATE t SET v = 'new' WHERE id = 3");
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  green().Exec("INSERT INTO t SELECT * FROM saved");
  ExpectApplied();
}

// NULLs collide with nobody, so the rows that have one are in nobody's way.
TEST_F(Conflicts, OverwritingSparesRowsWhoseUniqueColumnIsNull) {
  blue().Exec("UPDATE t SET mail = NULL WHERE id < 5");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  green().Exec("INSERT INTO t VALUES (77, NULL, 'green')");
  blue().Exec("INSERT INTO t VALUES (77, NULL, 'blue')");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", "overwrite"}));
  EXPECT_EQ(Recorded(), "insert unique violation overwritten");
}

TEST_F(Conflicts, OverwritingTakesTheRowWhoseNullIsNotDistinct) {
  if (db_.clusters().green().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  blue().Exec("DELETE FROM t; INSERT INTO t VALUES (1, 'x', 'v')");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  green().Exec("CREATE UNIQUE INDEX one_without ON t(v) NULLS NOT DISTINCT");
  green().Exec("INSERT INTO t VALUES (78, 'green', NULL)");
  blue().Exec("INSERT INTO t VALUES (77, 'blue', NULL)");
  ExpectApplied({"--on-conflict", "overwrite"});
}

// What blue did not send is what green's row has already.
TEST_F(Conflicts, OverwritingSparesRowsThatAnUnsentValueMayNotMean) {
  ExecBoth("ALTER TABLE t ALTER mail SET STORAGE EXTERNAL");
  blue().Exec("INSERT INTO t VALUES (20, repeat('m', 2400), 'toast'), (21, '', 'empty')");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  green().Exec("INSERT INTO t VALUES (77, 'g', 'green')");
  blue().Exec("UPDATE t SET id = 77 WHERE id = 20");
  ExpectApplied({"--on-conflict", "overwrite"});
}

TEST_F(Conflicts, OverwritingUpdatesTheRowThatNoKeyNames) {
  const std::string columns = "p(a int, b int, c int, UNIQUE (a, b), UNIQUE (a, c))";
  ExecBoth("CREATE TABLE f(a int UNIQUE, b int UNIQUE); ALTER TABLE f REPLICA IDENTITY FULL");
  blue().Exec("CREATE TABLE " + columns + "; ALTER TABLE p REPLICA IDENTITY FULL");
  green().Exec("CREATE TABLE " + columns + " PARTITION BY RANGE (a);" +
               "CREATE TABLE p1 PARTITION OF p DEFAULT");
  blue().Exec("INSERT INTO f VALUES (1, 1); INSERT INTO p VALUES (1, 1, 1)");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  green().Exec("INSERT INTO f VALUES (9, 2); INSERT INTO p VALUES (1, 2, 2)");
  blue().Exec("UPDATE f SET b = 2; UPDATE p SET b = 2");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", "overwrite"}));
  EXPECT_EQ(Recorded(), "update unique violation overwritten, update unique violation overwritten");
}

// The row that blue updates is gone, and another one has its new values.
TEST_F(Conflicts, OverwritingMakesRoomForARowThatWasMissing) {
  green().Exec("DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (78, 'taken', 'green')");
  blue().Exec("UPDATE t SET mail = 'taken' WHERE id = 3");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", "overwrite"}));
  EXPECT_EQ(Recorded(), "update row missing overwritten");
}

// An UPDATE cannot write a GENERATED ALWAYS identity: the row is replaced under every policy.
TEST_F(Conflicts, PoliciesMoveIdentities) {
  ExecBoth(
      "CREATE TABLE k(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);"
      "CREATE TABLE n(a int PRIMARY KEY, id int GENERATED ALWAYS AS IDENTITY, v text);"
      "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
  // Change by change.
  green().Exec(
      "CREATE TRIGGER always BEFORE UPDATE ON k FOR EACH ROW EXECUTE FUNCTION pass();"
      "ALTER TABLE k ENABLE ALWAYS TRIGGER always");
  for (const char* policy : {"skip", "overwrite"}) {
    blue().Exec("INSERT INTO k(v) VALUES ('a'); INSERT INTO n(a, v) SELECT count(*), 'a' FROM n");
    blue().Exec("UPDATE k SET id = DEFAULT");
    blue().Exec("UPDATE n SET id = DEFAULT, v = 'b'");
    ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", policy}));
  }
  EXPECT_EQ(Recorded(), "");
  green().Exec("DELETE FROM n WHERE a = 0");
  blue().Exec("UPDATE n SET id = DEFAULT");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--on-conflict", "overwrite"}));
  EXPECT_EQ(Recorded(), "update row missing overwritten");
}

// What only green has would be lost with the row.
TEST_F(Conflicts, PoliciesDoNotReplaceARowWithValuesOfItsOwn) {
  ExecBoth("CREATE TABLE k(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)");
  green().Exec("ALTER TABLE k ADD own text");
  blue().Exec("INSERT INTO k(v) VALUES ('a')");
  blue().Exec("UPDATE k SET id = DEFAULT");
  EXPECT_EQ(RunUntilCaughtUp({"--on-conflict", "skip"}), 3);
  ExpectLogNames({"public.k", "GENERATED BY DEFAULT"});
  green().Exec("ALTER TABLE k ALTER id SET GENERATED BY DEFAULT");
  ExpectApplied({"--on-conflict", "skip"});
}

}  // namespace
}  // namespace pgteal::tests
