#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

class Truncate : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth(
        "CREATE TABLE a(id serial PRIMARY KEY, v int);"
        "CREATE TABLE b(id int PRIMARY KEY, a int REFERENCES a);"
        "CREATE TABLE log(v int); ALTER TABLE log REPLICA IDENTITY FULL");
  }
  void Fill(const char* count = "300") {
    blue().Exec(std::string("INSERT INTO a(v) SELECT g FROM generate_series(1, ") + count +
                ") AS g");
    blue().Exec("INSERT INTO b SELECT id, id FROM a");
    blue().Exec("INSERT INTO log SELECT id % 3 FROM a");
  }
};

TEST_F(Truncate, SeveralTablesAndCascade) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Fill();
  blue().Exec("TRUNCATE a, b");
  Fill("5");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  blue().Exec("TRUNCATE a CASCADE");
  blue().Exec("TRUNCATE log");
  Fill("7");
  ExpectApplied();
}

TEST_F(Truncate, RestartsIdentitiesWhereBlueDid) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const char* next = "SELECT nextval('a_id_seq')";
  green().Exec("SELECT setval('a_id_seq', 500)");
  blue().Exec("TRUNCATE a CASCADE");
  ASSERT_NO_FATAL_FAILURE(Apply());
  EXPECT_EQ(green().Scalar(next), "501");
  blue().Exec("TRUNCATE a RESTART IDENTITY CASCADE");
  ASSERT_NO_FATAL_FAILURE(Apply());
  EXPECT_EQ(green().Scalar(next), "1");
}

// A table that only green has must not be emptied by blue's CASCADE.
TEST_F(Truncate, LeavesGreensOwnTablesAlone) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Fill("5");
  ASSERT_NO_FATAL_FAILURE(Apply());
  green().Exec("CREATE TABLE own(a int REFERENCES a); INSERT INTO own VALUES (1)");
  blue().Exec("TRUNCATE a CASCADE");
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  ExpectLogNames({"truncate of public.", "xid"});
  green().Exec("DROP TABLE own");
  ExpectApplied();
}

TEST_F(Truncate, WithinTransactionsThatWriteBeforeAndAfter) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Fill();
  blue().Exec(
      "BEGIN; INSERT INTO log VALUES (100); UPDATE a SET v = 0; TRUNCATE a, b, log;"
      "INSERT INTO a SELECT g, g FROM generate_series(1, 400) AS g; INSERT INTO log VALUES (7);"
      "UPDATE a SET v = -v WHERE id < 10; TRUNCATE log; INSERT INTO log VALUES (8); COMMIT");
  blue().Exec(
      "BEGIN; TRUNCATE b; SAVEPOINT s; TRUNCATE a CASCADE; ROLLBACK TO s;"
      "INSERT INTO b SELECT id, id FROM a WHERE id < 50; COMMIT");
  ExpectApplied();
}

TEST_F(Truncate, BetweenOthersInserts) {
  ASSERT_NO_FATAL_FAILURE(Start({"--lanes", "4", "--batch-rows", "5"}));
  Sql other(db_.BlueInfo());
  for (int i = 0; i < 60; ++i) {
    const std::string id = std::to_string(i);
    blue().Exec("INSERT INTO log SELECT " + id + " FROM generate_series(1, 20)");
    other.Exec("INSERT INTO a(id, v) VALUES (" + id + ", 1)");
    other.Exec("UPDATE a SET v = v + 1 WHERE id > " + id + " - 5");
    if (i % 7 == 0) blue().Exec("TRUNCATE log");
    if (i % 11 == 0) other.Exec("TRUNCATE a CASCADE");
  }
  ExpectCaughtUpAndEqual();
}

TEST_F(Truncate, OfPartitionedTables) {
  ExecBoth(
      "CREATE TABLE p(id int PRIMARY KEY, v int) PARTITION BY RANGE (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (1000)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const char* fill = "INSERT INTO p SELECT g, g FROM generate_series(1, 300) AS g";
  blue().Exec(fill);
  blue().Exec("TRUNCATE p1");
  blue().Exec("INSERT INTO p VALUES (5, 5)");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  blue().Exec("TRUNCATE p");
  blue().Exec(fill);
  ExpectApplied();
}

TEST_F(Truncate, OfAParentAlone) {
  ExecBoth(
      "CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(PRIMARY KEY (id)) INHERITS "
      "(parent)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO parent SELECT g FROM generate_series(1, 10) AS g");
  blue().Exec("INSERT INTO child SELECT g FROM generate_series(11, 20) AS g");
  blue().Exec("TRUNCATE ONLY parent");
  blue().Exec("INSERT INTO parent VALUES (99)");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  blue().Exec("TRUNCATE parent");
  ExpectApplied();
}

// RESTART IDENTITY is for the owner of the sequence; the switchover sets it anyway.
TEST_F(Truncate, ByARoleThatDoesNotOwnTheSequence) {
  const std::string info = db_.GreenInfo() + " user=emptier";
  green().Exec("CREATE ROLE emptier LOGIN; ALTER DATABASE " + db_.name() +
               " OWNER TO emptier; GRANT ALL ON ALL TABLES IN SCHEMA public TO emptier");
  if (db_.clusters().green().major() >= 15) {
    green().Exec("GRANT SET ON PARAMETER session_replication_role TO emptier");
  }
  EXPECT_EQ(RunVia("", info), 0) << Log();
  Fill("5");
  blue().Exec("TRUNCATE a RESTART IDENTITY CASCADE");
  Fill("3");
  EXPECT_EQ(RunVia("", info), 0) << Log();
  EXPECT_TRUE(db_.Equal());
  green().Exec("ALTER DATABASE " + db_.name() + " OWNER TO postgres;" +
               "REASSIGN OWNED BY emptier TO postgres; DROP OWNED BY emptier; DROP ROLE emptier");
}

// The lane that has emptied the partitions asks about their root once more.
TEST_F(Truncate, OfATableThatChangesInTheSameTransaction) {
  ExecBoth(
      "CREATE TABLE p(id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100000)");
  green().Exec("ALTER TABLE p ADD x int");
  blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES WITH (publish_via_partition_root)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO p VALUES (0, 'old')");
  blue().Exec(
      "BEGIN; TRUNCATE p; INSERT INTO p SELECT g, repeat('v', 10000) FROM generate_series(1, 2000)"
      " AS g; ALTER TABLE p ADD x int; INSERT INTO p VALUES (2001, 'new', 1); COMMIT");
  ExpectApplied();
}

}  // namespace
}  // namespace pgteal::tests
