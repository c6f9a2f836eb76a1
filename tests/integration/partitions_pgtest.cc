#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

constexpr const char* kPartitioned =
    "CREATE TABLE p(id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
    "CREATE TABLE p2(v text, gone int, id int NOT NULL); ALTER TABLE p2 DROP gone;"
    "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (1000);"
    "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (1000) TO (10000) PARTITION BY HASH (id);"
    "CREATE TABLE p3a PARTITION OF p3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE p3b PARTITION OF p3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
    "CREATE TABLE px PARTITION OF p DEFAULT;";
constexpr const char* kPlain = "CREATE TABLE p(id int PRIMARY KEY, v text);";

class Partitions : public StreamTest {
 protected:
  void ExpectFollows() {
    blue().Exec("INSERT INTO p SELECT g * 5, 'v' || g FROM generate_series(1, 600) AS g");
    blue().Exec("INSERT INTO p VALUES (-1, 'default'), (50001, 'default')");
    ASSERT_NO_FATAL_FAILURE(ExpectApplied());
    blue().Exec("UPDATE p SET v = v || 'x' WHERE id % 10 = 0");
    blue().Exec("UPDATE p SET id = id + 1001 WHERE id BETWEEN 1 AND 49");  // into another partition
    blue().Exec("UPDATE p SET id = 50002, v = NULL WHERE id = 500");
    blue().Exec("DELETE FROM p WHERE id % 15 = 0");
    blue().Exec("UPDATE p SET v = 'last' WHERE id IN (-1, 50001)");
    ExpectApplied();
  }
};

TEST_F(Partitions, OnBothSides) {
  ExecBoth(kPartitioned);
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  ExpectFollows();
}

TEST_F(Partitions, OnBlueAloneThroughTheRoot) {
  blue().Exec(kPartitioned);
  green().Exec(kPlain);
  blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES WITH (publish_via_partition_root)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  ExpectFollows();
}

TEST_F(Partitions, OnGreenAlone) {
  blue().Exec(kPlain);
  green().Exec(kPartitioned);
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  ExpectFollows();
}

TEST_F(Partitions, DifferentOnesThroughTheRoot) {
  blue().Exec(kPartitioned);
  green().Exec(
      "CREATE TABLE p(v text, id int PRIMARY KEY) PARTITION BY HASH (id);"
      "CREATE TABLE h0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE TABLE h1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE p WITH (publish_via_partition_root)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  ExpectFollows();
}

TEST_F(Partitions, WithoutAKey) {
  const std::string sql =
      "CREATE TABLE p(id int, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO (1000);"
      "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (MAXVALUE);"
      "ALTER TABLE p1 REPLICA IDENTITY FULL; ALTER TABLE p2 REPLICA IDENTITY FULL;"
      "ALTER TABLE p REPLICA IDENTITY FULL";
  ExecBoth(sql);
  blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES WITH (publish_via_partition_root)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO p SELECT g % 20 * 100, 'v' FROM generate_series(1, 100) AS g");
  blue().Exec("DELETE FROM p WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM p LIMIT 30)");
  blue().Exec("UPDATE p SET id = id + 500 WHERE id < 700");
  blue().Exec("UPDATE p SET v = NULL WHERE id > 1500");
  ExpectApplied();
}

TEST_F(Partitions, ANewOneHasToBeOnGreenToo) {
  ExecBoth(kPartitioned);
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const char* add = "CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (10000) TO (20000)";
  blue().Exec(add);
  blue().Exec("INSERT INTO p VALUES (10001, 'new')");
  EXPECT_EQ(RunUntilCaughtUp(), 3);
  ExpectLogNames({"public.p4", "missing on green"});
  green().Exec(add);
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  ExecBoth("ALTER TABLE p DETACH PARTITION p1");
  blue().Exec("INSERT INTO p1 VALUES (7, 'alone'), (5000, 'anything')");
  ExpectApplied();
}

TEST_F(Partitions, InheritanceKeepsParentsAndChildrenApart) {
  ExecBoth(
      "CREATE TABLE parent(id int PRIMARY KEY, v text);"
      "CREATE TABLE child(extra int, PRIMARY KEY (id)) INHERITS (parent);"
      "CREATE TABLE full_parent(id int, v text); CREATE TABLE full_child() INHERITS (full_parent);"
      "ALTER TABLE full_parent REPLICA IDENTITY FULL; ALTER TABLE full_child REPLICA IDENTITY "
      "FULL");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  // The same keys in parent and child.
  blue().Exec("INSERT INTO parent SELECT g, 'p' FROM generate_series(1, 300) AS g");
  blue().Exec("INSERT INTO child SELECT g, 'c', g FROM generate_series(1, 300) AS g");
  blue().Exec("INSERT INTO full_parent SELECT 1, 'x' FROM generate_series(1, 5)");
  blue().Exec("INSERT INTO full_child SELECT 1, 'x' FROM generate_series(1, 5)");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  blue().Exec("UPDATE ONLY parent SET v = 'p2' WHERE id < 100");
  blue().Exec("UPDATE child SET v = 'c2' WHERE id > 200");
  blue().Exec("DELETE FROM ONLY parent WHERE id % 3 = 0");
  blue().Exec("DELETE FROM parent WHERE id % 5 = 0");
  blue().Exec("DELETE FROM ONLY full_parent WHERE ctid = '(0,1)'");
  blue().Exec("UPDATE full_child SET v = 'y' WHERE ctid = '(0,2)'");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  for (const char* table : {"parent", "child", "full_parent", "full_child"}) {
    const std::string count = std::string("SELECT count(*) FROM ONLY ") + table;
    EXPECT_EQ(green().Scalar(count), blue().Scalar(count)) << table;
  }
}

}  // namespace
}  // namespace pgteal::tests
