#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

class Identities : public StreamTest {
 protected:
  // Everything in `statements` is one transaction each; they meet on green in one batch and, with
  // a row per batch, in many.
  void ExpectFollows(const std::vector<std::string>& statements) {
    ASSERT_NO_FATAL_FAILURE(Bootstrap());
    for (const auto& statement : statements) blue().Exec(statement);
    ExpectApplied();
  }
};

TEST_F(Identities, APrimaryKey) {
  ExecBoth("CREATE TABLE t(a int, b text, c int, PRIMARY KEY (a, b))");
  ExpectFollows({"INSERT INTO t SELECT g, 'b' || g, g FROM generate_series(1, 500) AS g",
                 "UPDATE t SET c = -c WHERE a % 2 = 0", "DELETE FROM t WHERE a % 5 = 0",
                 "INSERT INTO t VALUES (5, 'b5', 1), (5, 'other', 2)"});
}

TEST_F(Identities, AnIndex) {
  ExecBoth(
      "CREATE TABLE t(id int PRIMARY KEY, a int NOT NULL, b text NOT NULL, v int);"
      "CREATE UNIQUE INDEX t_ab ON t(b, a); ALTER TABLE t REPLICA IDENTITY USING INDEX t_ab");
  ExpectFollows({"INSERT INTO t SELECT g, g % 10, 'b' || g, g FROM generate_series(1, 300) AS g",
                 "UPDATE t SET v = 0 WHERE id < 50", "UPDATE t SET a = a + 1 WHERE id > 250",
                 "UPDATE t SET id = id + 1000 WHERE id < 20", "DELETE FROM t WHERE id % 3 = 0"});
}

TEST_F(Identities, AnIndexThatGreenHasNot) {
  blue().Exec(
      "CREATE TABLE t(id int PRIMARY KEY, a int NOT NULL, v int); CREATE UNIQUE INDEX t_a ON t(a);"
      "ALTER TABLE t REPLICA IDENTITY USING INDEX t_a");
  green().Exec("CREATE TABLE t(id int PRIMARY KEY, a int, v int)");
  ExpectFollows({"INSERT INTO t SELECT g, -g, g FROM generate_series(1, 300) AS g",
                 "UPDATE t SET v = 0 WHERE id < 50", "UPDATE t SET a = a - 1000, id = id + 1000",
                 "DELETE FROM t WHERE v % 3 = 0"});
}

TEST_F(Identities, APrimaryKeyThatIsAnotherOnGreen) {
  blue().Exec("CREATE TABLE t(a int PRIMARY KEY, b int NOT NULL UNIQUE, v int)");
  green().Exec("CREATE TABLE t(a int, b int PRIMARY KEY, v int)");
  ExpectFollows({"INSERT INTO t SELECT g, -g, g FROM generate_series(1, 300) AS g",
                 "UPDATE t SET v = 0 WHERE a < 50", "UPDATE t SET b = b - 1000",
                 "DELETE FROM t WHERE a % 3 = 0", "UPDATE t SET a = a + 5000"});
}

TEST_F(Identities, APrimaryKeyWithNoIndexOnGreen) {
  blue().Exec("CREATE TABLE t(a int PRIMARY KEY, v int)");
  green().Exec("CREATE TABLE t(a int, v int)");
  ExpectFollows({"INSERT INTO t SELECT g, g FROM generate_series(1, 300) AS g",
                 "UPDATE t SET v = 0 WHERE a < 50", "DELETE FROM t WHERE a % 3 = 0",
                 "UPDATE t SET a = -a"});
}

TEST_F(Identities, FullWithAPrimaryKey) {
  ExecBoth("CREATE TABLE t(a int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL");
  ExpectFollows({"INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 300) AS g",
                 "UPDATE t SET v = NULL WHERE a < 50", "UPDATE t SET a = a + 1000 WHERE a > 200",
                 "UPDATE t SET a = -a, v = a WHERE a < 20", "DELETE FROM t WHERE a % 3 = 0"});
}

// Two rows that only one key of blue's tells apart.
TEST_F(Identities, FullWithAPrimaryKeyOnGreenAlone) {
  blue().Exec("CREATE TABLE t(a int, v int); ALTER TABLE t REPLICA IDENTITY FULL");
  green().Exec("CREATE TABLE t(a int PRIMARY KEY, v int)");
  ExpectFollows({"INSERT INTO t SELECT g, g FROM generate_series(1, 300) AS g",
                 "UPDATE t SET v = v + 1, a = a + 1000", "DELETE FROM t WHERE a % 3 = 0"});
}

TEST_F(Identities, FullChangesOneOfEqualRows) {
  ExecBoth("CREATE TABLE t(a int, b text); ALTER TABLE t REPLICA IDENTITY FULL");
  ExpectFollows({"INSERT INTO t SELECT 1, 'x' FROM generate_series(1, 10)",
                 "INSERT INTO t VALUES (1, NULL), (1, NULL), (NULL, NULL), (NULL, 'x')",
                 "UPDATE t SET b = 'y' WHERE ctid = (SELECT ctid FROM t WHERE b = 'x' LIMIT 1)",
                 "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE b = 'x' LIMIT 3)",
                 "UPDATE t SET a = 2 WHERE ctid = (SELECT ctid FROM t WHERE b IS NULL LIMIT 1)",
                 "DELETE FROM t WHERE a IS NULL AND b IS NULL"});
}

// Equal by the operator is not the same row.
TEST_F(Identities, FullTellsSpellingsApart) {
  ExecBoth(
      "CREATE TABLE n(v numeric, m int); CREATE TABLE f(v float8, m int);"
      "CREATE TABLE c(v char(6), m int); CREATE TABLE i(v interval, m int);"
      "CREATE TABLE r(v numrange, m int); CREATE TABLE a(v numeric[], m int);"
      "ALTER TABLE n REPLICA IDENTITY FULL; ALTER TABLE f REPLICA IDENTITY FULL;"
      "ALTER TABLE c REPLICA IDENTITY FULL; ALTER TABLE i REPLICA IDENTITY FULL;"
      "ALTER TABLE r REPLICA IDENTITY FULL; ALTER TABLE a REPLICA IDENTITY FULL");
  ExpectFollows({"INSERT INTO n VALUES (1.0, 1), (1.00, 1), ('NaN', 1), ('NaN', 1), (1, 1)",
                 "INSERT INTO f VALUES (0, 1), ('-0', 1), ('NaN', 1), ('NaN', 2)",
                 "INSERT INTO c VALUES ('a', 1), ('a  ', 1), ('b', 1)",
                 "INSERT INTO i VALUES ('1 day', 1), ('24 hours', 1), ('1 mon', 1), ('30 days', 1)",
                 "INSERT INTO r VALUES ('[1.0,2)', 1), ('[1.00,2)', 1)",
                 "INSERT INTO a VALUES ('{1.0}', 1), ('{1.00}', 1)",
                 "UPDATE n SET m = 2 WHERE v::text = '1.00'", "DELETE FROM n WHERE v::text = '1'",
                 "DELETE FROM n WHERE ctid = (SELECT min(ctid) FROM n WHERE v = 'NaN')",
                 "UPDATE f SET m = 2 WHERE v::text = '-0'", "DELETE FROM f WHERE v::text = '0'",
                 "UPDATE f SET v = 5 WHERE v = 'NaN' AND m = 2",
                 "DELETE FROM c WHERE ctid = (SELECT min(ctid) FROM c WHERE v = 'a')",
                 "UPDATE i SET m = 2 WHERE v::text = '24:00:00'",
                 "DELETE FROM i WHERE v::text = '30 days'",
                 "UPDATE r SET m = 2 WHERE v::text = '[1.00,2)'",
                 "UPDATE a SET m = 2 WHERE v::text = '{1.00}'"});
}

TEST_F(Identities, FullOverTypesWithoutEquality) {
  ExecBoth(
      "CREATE TABLE t(j json, x xml, p point, b box[], n int);"
      "ALTER TABLE t REPLICA IDENTITY FULL");
  ExpectFollows(
      {"INSERT INTO t VALUES ('{\"a\": 1}', '<a/>', '(1,2)', '{(1,1),(0,0)}', 1),"
       " ('{\"a\":1}', '<a></a>', '(1,2)', '{(1,1),(0,0)}', 1), (NULL, NULL, NULL, NULL, 1)",
       "UPDATE t SET n = 2 WHERE j::text = '{\"a\":1}'", "DELETE FROM t WHERE x::text = '<a/>'",
       "UPDATE t SET n = 3 WHERE j IS NULL"});
}

TEST_F(Identities, NothingIsNeededForInserts) {
  ExecBoth("CREATE TABLE log(a int, b text); CREATE TABLE t(id int PRIMARY KEY)");
  blue().Exec("ALTER TABLE log REPLICA IDENTITY NOTHING");
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"public.log", "REPLICA IDENTITY FULL"});
  blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES WITH (publish = 'insert, truncate')");
  ExpectFollows({"INSERT INTO log SELECT g % 5, 'x' FROM generate_series(1, 1000) AS g",
                 "INSERT INTO log VALUES (1, 'x'), (1, 'x')", "INSERT INTO t VALUES (1)"});
}

TEST_F(Identities, KeysThatMove) {
  ExecBoth(
      "CREATE TABLE t(k int PRIMARY KEY, v text);"
      "CREATE TABLE d(k int PRIMARY KEY DEFERRABLE, v text);"
      "ALTER TABLE d REPLICA IDENTITY FULL");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) AS g");
  blue().Exec("INSERT INTO d SELECT g, 'v' || g FROM generate_series(1, 1000) AS g");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  // A swap through a free key, in one transaction and in three.
  blue().Exec(
      "BEGIN; UPDATE t SET k = -1 WHERE k = 1; UPDATE t SET k = 1 WHERE k = 2;"
      "UPDATE t SET k = 2 WHERE k = -1; COMMIT");
  blue().Exec("UPDATE t SET k = -1 WHERE k = 3");
  blue().Exec("UPDATE t SET k = 3 WHERE k = 4");
  blue().Exec("UPDATE t SET k = 4 WHERE k = -1");
  blue().Exec("UPDATE t SET k = k + 1000");
  blue().Exec("UPDATE t SET k = -k WHERE k % 2 = 0");
  blue().Exec("UPDATE t SET v = 'touched' WHERE k BETWEEN 1001 AND 1100");
  blue().Exec("DELETE FROM t WHERE k > 1900");
  blue().Exec("UPDATE d SET k = k + 1");
  blue().Exec("UPDATE d SET k = 1002 - k");
  ExpectApplied();
}

// The same with a batch for each transaction, and lanes that overtake each other if they could.
TEST_F(Identities, KeysThatMoveInSmallBatchesOnManyLanes) {
  ExecBoth("CREATE TABLE t(k int PRIMARY KEY, v int)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, 0 FROM generate_series(1, 50) AS g");
  for (int i = 0; i < 40; ++i) {
    const std::string key = std::to_string(i % 3 + 1);
    blue().Exec("UPDATE t SET k = 0 WHERE k = " + key);
    blue().Exec("UPDATE t SET k = " + key + ", v = v + 1 WHERE k = 0");
    blue().Exec("DELETE FROM t WHERE k = 10");
    blue().Exec("INSERT INTO t VALUES (10, " + key + ")");
  }
  ExpectApplied({"--batch-rows", "1", "--lanes", "4"});
}

// pgoutput leaves generated columns out, also of keys: what is left of one may be many rows'.
class GeneratedKeys : public Identities {
 protected:
  void SetUp() override {
    if (db_.clusters().blue().major() >= 18) GTEST_SKIP() << "18 refuses the DELETE itself";
    ExecBoth(
        "CREATE TABLE t(a int, b int, g int GENERATED ALWAYS AS (b) STORED, PRIMARY KEY (a, g));"
        "CREATE TABLE i(a int, b int NOT NULL UNIQUE, g int GENERATED ALWAYS AS (b) STORED,"
        " PRIMARY KEY (a, g))");
  }
};

TEST_F(GeneratedKeys, AreNoIdentity) {
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"public.t", R"(ALTER TABLE "public"."t" REPLICA IDENTITY FULL;)",
                  R"(ALTER TABLE "public"."i" REPLICA IDENTITY USING INDEX i_b_key;)"});
  ASSERT_NO_FATAL_FAILURE(Apply({"--set-replica-identity"}));
  blue().Exec("INSERT INTO t VALUES (1, 1), (1, 2); INSERT INTO i VALUES (1, 1), (1, 2)");
  blue().Exec("DELETE FROM t WHERE b = 1; DELETE FROM i WHERE b = 1");
  blue().Exec("UPDATE t SET b = 3; UPDATE i SET b = 3");
  ExpectApplied();
}

// Nobody has looked at the tables of a publication that was there.
TEST_F(GeneratedKeys, AreFollowedAsLongAsTheRestFindsOneRow) {
  blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES");
  ExpectFollows({"INSERT INTO t VALUES (1, 1), (2, 2)", "DELETE FROM t WHERE a = 1",
                 "INSERT INTO t VALUES (1, 2)", "UPDATE t SET b = 3"});
  blue().Exec("INSERT INTO t VALUES (1, 1)");
  blue().Exec("DELETE FROM t WHERE b = 1");
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  ExpectLogNames({"public.t", "finds 2 rows on green", "REPLICA IDENTITY FULL"});
  ASSERT_NO_FATAL_FAILURE(Apply({"--on-conflict", "skip"}));
  EXPECT_EQ(green().Scalar("SELECT reason FROM pgteal.conflict"), "several rows");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "3");
}

}  // namespace
}  // namespace pgteal::tests
