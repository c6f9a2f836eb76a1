#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/membership_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// The plan of a load names partitions, the publication their parent.
TEST_F(Membership, WhatALoadHasCopiedIsComplete) {
  ExecBoth(
      "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)");
  green().Exec("TRUNCATE t, h");
  blue().Exec("INSERT INTO parts VALUES (1)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE t, h, parts");
  auto run = db_.Pgteal({"run", "--copy", "data", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  ExpectComplete();
}

// The stream and the copy know its partitions only.
TEST_F(Membership, APartitionedTableIsReloadedByItsName) {
  ExecBoth(
      "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)");
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("INSERT INTO parts VALUES (1), (11); ALTER PUBLICATION pgteal ADD TABLE parts");
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("parts"));
  ASSERT_NO_FATAL_FAILURE(Reload("parts"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// A run that makes a publication of some tables names partitions, too.
TEST_F(Membership, APartitionThatIsDetachedIsStillComplete) {
  ExecBoth(
      "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
      "INSERT INTO parts VALUES (1)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--include-table", "part*"}));
  ASSERT_EQ(blue().Scalar("SELECT count(*) FROM pg_publication_rel"), "2");
  for (auto* side : {&blue(), &green()}) {
    side->Exec("BEGIN READ WRITE; ALTER TABLE parts DETACH PARTITION part_1; COMMIT");
  }
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

// Nobody follows the other one any more.
TEST_F(Membership, ATableThatIsMadeAnewIsStreamedAndHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  Start();
  blue().Exec("DROP TABLE h; CREATE TABLE h (id int PRIMARY KEY)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE h; INSERT INTO h VALUES (9)");
  const auto is_there = [this] { return green().Scalar("SELECT max(id) FROM h") == "9"; };
  EXPECT_TRUE(WaitUntil(is_there, seconds(30))) << Log();
  StopCleanly();
  ExpectBehind("h");
}

// What green has under that name are the rows of the one before.
TEST_F(Membership, ATableOfAllTablesThatIsMadeAnewOnBlueAloneHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("DROP TABLE h; CREATE TABLE h (id int PRIMARY KEY); INSERT INTO h VALUES (9)");
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// They go where the rows before them went.
TEST_F(Membership, ATableOfAllTablesThatIsMadeAnewWhileItsLastRowsAreUnderWayStopsNothing) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("INSERT INTO h VALUES (2)");
  blue().Exec("DROP TABLE h; CREATE TABLE h (id int PRIMARY KEY); INSERT INTO h VALUES (9)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, ATableOfAllTablesThatIsMadeAnewAfterALookHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("DROP TABLE h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("CREATE TABLE h (id int PRIMARY KEY); INSERT INTO h VALUES (9)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
}

TEST_F(Membership, ATableOfAllTablesThatIsMadeAnewOnBothSidesIsComplete) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("DROP TABLE h; CREATE TABLE h (id int PRIMARY KEY)");
  blue().Exec("INSERT INTO h VALUES (9)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// The stream brings all rows of the new one.
TEST_F(Membership, ATableOfAllTablesWithAFormerNameOfAnotherIsCompleteOnceGreenHasBoth) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  const std::string anew =
      "ALTER TABLE h RENAME TO h_old; ALTER INDEX h_pkey RENAME TO h_old_pkey;"
      "CREATE TABLE h (id int PRIMARY KEY);";
  blue().Exec(anew + "INSERT INTO h VALUES (8); INSERT INTO h_old VALUES (2)");
  EXPECT_EQ(RunUntilCaughtUp(), 3) << Log();
  db_.GreenWriter().Exec(anew);
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// A partitioned table whose partitions are in the publication through it alone, as by
// CREATE PUBLICATION … FOR TABLE.
class Attached : public Membership {
 protected:
  Attached() {
    ExecBoth(
        "CREATE TABLE p (id int PRIMARY KEY, note text DEFAULT 'x') PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
        "INSERT INTO p VALUES (1)");
  }
  void BeginWithParent(const std::string& options = "") {
    blue().Exec("CREATE PUBLICATION pgteal FOR TABLE t, h, p" + options);
    ASSERT_NO_FATAL_FAILURE(StreamOnce());
    ExpectComplete();
  }
  // Green has the structure, as after pg_dump --schema-only.
  void Attach() {
    ExecEverywhere("CREATE TABLE p2 (LIKE p INCLUDING ALL)");
    blue().Exec("INSERT INTO p2 VALUES (11), (12)");
    ExecEverywhere("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)");
  }
  void ComeBackEmpty() {
    ExecEverywhere("ALTER TABLE p DETACH PARTITION p1");
    blue().Exec("TRUNCATE p1");
    ExecEverywhere("ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)");
  }
  void ExpectReloadMends(const std::string& table) {
    ASSERT_NO_FATAL_FAILURE(ExpectBehind(table));
    ASSERT_NO_FATAL_FAILURE(StreamOnce());
    ASSERT_NO_FATAL_FAILURE(ExpectBehind(table));
    ASSERT_NO_FATAL_FAILURE(Reload(table));
    ExpectComplete();
    ASSERT_NO_FATAL_FAILURE(StreamOnce());
    ExpectComplete();
    EXPECT_TRUE(db_.Equal());
  }
};

TEST_F(Attached, AFilledTableHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--include-table", "p*"}));
  ASSERT_NO_FATAL_FAILURE(Attach());
  ExpectReloadMends("p2");
}

TEST_F(Attached, AFilledTableHasToBeReloadedWhereTheParentAloneIsNamed) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ASSERT_NO_FATAL_FAILURE(Attach());
  ExpectReloadMends("p2");
}

// The copy knows no partitions then.
TEST_F(Attached, AFilledTableIsReloadedWithItsParentWhereThatIsWhatIsSent) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent(" WITH (publish_via_partition_root = true)"));
  ASSERT_NO_FATAL_FAILURE(Attach());
  ExpectReloadMends("p");
}

TEST_F(Attached, AFilledTableIsReloadedWithItsParentToo) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ASSERT_NO_FATAL_FAILURE(Attach());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("p2"));
  ASSERT_NO_FATAL_FAILURE(Reload("p"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

// All in one transaction: what was written before the ATTACH is not decoded as the partition's.
TEST_F(Attached, AFilledTableOfTheSameTransactionHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ExecEverywhere("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); DROP TABLE p2");
  const std::string create = "CREATE TABLE p2 (LIKE p INCLUDING ALL);";
  const std::string attach = "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)";
  blue().Exec("BEGIN; " + create + "INSERT INTO p2 VALUES (11);" + attach + "; COMMIT");
  db_.GreenWriter().Exec(create + attach);
  ExpectReloadMends("p2");
}

TEST_F(Attached, FilledPartitionsOfATableThatIsAttachedHaveToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ExecEverywhere(
      "CREATE TABLE sub (LIKE p INCLUDING ALL) PARTITION BY RANGE (id);"
      "CREATE TABLE sub_1 PARTITION OF sub FOR VALUES FROM (10) TO (15);"
      "CREATE TABLE sub_2 PARTITION OF sub FOR VALUES FROM (15) TO (20)");
  blue().Exec("INSERT INTO sub VALUES (11)");
  ExecEverywhere("ALTER TABLE p ATTACH PARTITION sub FOR VALUES FROM (10) TO (20)");
  ExpectReloadMends("sub_1");
}

TEST_F(Attached, APartitionThatLeftAndCameBackHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ExecEverywhere("ALTER TABLE p DETACH PARTITION p1");
  blue().Exec("INSERT INTO p1 VALUES (2)");
  ExecEverywhere("ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)");
  ExpectReloadMends("p1");
}

TEST_F(Attached, APartitionThatCameBackEmptyHasToBeReloadedWhileGreenHasRows) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ASSERT_NO_FATAL_FAILURE(ComeBackEmpty());
  ExpectReloadMends("p1");
}

TEST_F(Attached, APartitionThatCameBackEmptyIsReloadedWithItsParentWhereThatIsWhatIsSent) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent(" WITH (publish_via_partition_root = true)"));
  ASSERT_NO_FATAL_FAILURE(ComeBackEmpty());
  ExpectReloadMends("p");
}

// Green has other partitions then, which cannot be asked for one of blue's.
TEST_F(Attached, ANewPartitionIsCompleteWhereGreenHasOthers) {
  db_.GreenWriter().Exec("ALTER TABLE p1 RENAME TO all_of_it");
  ASSERT_NO_FATAL_FAILURE(BeginWithParent(" WITH (publish_via_partition_root = true)"));
  blue().Exec("CREATE TABLE p2 (LIKE p INCLUDING ALL)");
  blue().Exec("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)");
  EXPECT_THAT(Ask().Findings("H9"), testing::Not(testing::HasSubstr("--reload-table")));
  blue().Exec("ALTER TABLE p DETACH PARTITION p1; TRUNCATE p1");
  blue().Exec("ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)");
  EXPECT_THAT(Ask().Findings("H9"), testing::HasSubstr("--reload-table public.p"));
}

TEST_F(Attached, ATableThatIsPublishedItselfIsComplete) {
  ExecBoth("CREATE TABLE p2 (LIKE p INCLUDING ALL); INSERT INTO p2 VALUES (11)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE p, p2");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  // From here on it is in the publication through its parent, too.
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE p2");
  ExpectComplete();
}

TEST_F(Attached, ATableThatIsAttachedEmptyIsCompleteWhateverIsWrittenLater) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ExecEverywhere("CREATE TABLE p2 (LIKE p INCLUDING ALL)");
  ExecEverywhere("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  blue().Exec("INSERT INTO p VALUES (11)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Attached, APartitionThatIsMadeAsOneIsComplete) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ExecEverywhere("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)");
  ExecEverywhere(
      "CREATE TABLE sub PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (id);"
      "CREATE TABLE sub_1 PARTITION OF sub FOR VALUES FROM (20) TO (30);"
      "ALTER TABLE p2 OWNER TO pg_read_all_data; ALTER TABLE p2 ALTER note SET DEFAULT 'y'");
  blue().Exec("INSERT INTO p VALUES (11), (21)");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Attached, APartitionWithTheNameOfOneThatLeftHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  blue().Exec(
      "DROP TABLE p1; CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
      "INSERT INTO p VALUES (2)");
  ExpectReloadMends("p1");
}

// A column with a default is written twice when its table is made.
TEST_F(Attached, APartitionWhoseColumnsAllHaveDefaultsIsComplete) {
  ExecBoth(
      "CREATE TABLE d (id int DEFAULT 1, at int DEFAULT 1, PRIMARY KEY (id, at))"
      " PARTITION BY RANGE (id)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE d");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("CREATE TABLE d1 PARTITION OF d FOR VALUES FROM (0) TO (10)");
  blue().Exec("INSERT INTO d DEFAULT VALUES");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

TEST_F(Attached, AnUnloggedPartitionThatBecomesLoggedHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  ExecEverywhere("CREATE UNLOGGED TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)");
  blue().Exec("INSERT INTO p VALUES (11)");
  ExecEverywhere("ALTER TABLE p2 SET LOGGED");
  ExpectReloadMends("p2");
}

TEST_F(Attached, AFilledTableOfAllTablesIsComplete) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(Attach());
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

TEST_F(Attached, AFilledTableOfAnotherSchemaThanThePublishedHasToBeReloaded) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  ExecBoth("CREATE SCHEMA other");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExecEverywhere("CREATE TABLE other.p2 (LIKE p INCLUDING ALL)");
  blue().Exec("INSERT INTO other.p2 VALUES (11)");
  ExecEverywhere("ALTER TABLE p ATTACH PARTITION other.p2 FOR VALUES FROM (10) TO (20)");
  EXPECT_THAT(Ask().Findings("H9"), testing::HasSubstr("--reload-table other.p2"));
}

// As an older pgteal kept it: neither partitions nor what came with a container.
TEST_F(Attached, ARecordWithoutPartitionsIsTakenOver) {
  ASSERT_NO_FATAL_FAILURE(BeginWithParent());
  db_.GreenWriter().Exec(
      "DELETE FROM pgteal.schema_baseline WHERE kind = 'complete table' AND object = 'public.p1';"
      "UPDATE pgteal.schema_baseline SET definition = 'oids' WHERE kind = 'complete table'"
      " AND object = ''");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(Attach());
  ExpectBehind("p2");
}

}  // namespace
}  // namespace pgteal::tests
