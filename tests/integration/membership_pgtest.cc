#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"
#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// Which tables of the publication have all their rows on green: H9 says which do not.
class Membership : public StreamTest {
 protected:
  Membership() {
    ExecBoth("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE h (id int PRIMARY KEY)");
    ExecBoth("INSERT INTO t VALUES (1); INSERT INTO h VALUES (1)");
  }
  // A stream that is over at once: whatever follows happens between two looks.
  void StreamOnce(const Args& more = {}) { ASSERT_EQ(RunUntilCaughtUp(more), 0) << Log(); }
  void Begin() { StreamOnce({"--include-table", "t", "--include-table", "h"}); }
  CheckRun Ask() { return RunCheck(db_, {"--phase", "switchover", "--only", "H9"}); }
  void ExpectBehind(const std::string& table) {
    const auto check = Ask();
    EXPECT_EQ(check.Outcomes("H9"), "FAIL");
    EXPECT_THAT(check.Findings("H9"), HasSubstr("--reload-table public." + table));
  }
  void ExpectComplete() {
    const auto check = Ask();
    EXPECT_EQ(check.Outcomes("H9"), "PASS") << check.Findings("H9");
  }
  void Reload(const std::string& table) {
    const auto reload = db_.Pgteal(
        {"run", "--copy", "data", "--reload-table", "public." + table, "--until-caught-up"});
    ASSERT_EQ(reload->WaitExit(seconds(60)), 0) << reload->Log();
  }
};

TEST_F(Membership, ATableThatIsAddedWhileTheLoadIsAtWorkHasToBeReloaded) {
  green().Exec("TRUNCATE t");
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
  auto run = db_.Pgteal({"run", "--copy", "data", "--include-table", "t", "--until-caught-up"});
  ASSERT_TRUE(run->WaitForLog("green prepared")) << run->Log();
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); INSERT INTO n VALUES (1), (2)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY n");
  db_.GreenWriter().Exec("CREATE TABLE n (id int PRIMARY KEY)");
  holder.Exec("ROLLBACK");
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("n"));
  EXPECT_THAT(Ask().Findings("H9"), testing::Not(HasSubstr("public.t ")));
  ASSERT_NO_FATAL_FAILURE(Reload("n"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

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

TEST_F(Membership, ATableThatLeftAndCameBackBetweenTwoLooksHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h");
  blue().Exec("INSERT INTO h VALUES (2)");
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLE ONLY h");
  ExpectBehind("h");
  // Not only before the next look.
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, ATableThatTookTheNameOfAnotherHasToBeReloaded) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec(
      "CREATE TABLE h_new (LIKE h INCLUDING ALL); INSERT INTO h_new VALUES (1), (2);"
      "DROP TABLE h; ALTER TABLE h_new RENAME TO h; ALTER INDEX h_new_pkey RENAME TO h_pkey;"
      "ALTER PUBLICATION pgteal ADD TABLE h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
}

TEST_F(Membership, ARenamedTableIsStillComplete) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("ALTER TABLE h RENAME TO renamed");
  db_.GreenWriter().Exec("ALTER TABLE h RENAME TO renamed");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

TEST_F(Membership, ATableThatIsAddedEmptyIsCompleteWhateverIsWrittenLater) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); ALTER PUBLICATION pgteal ADD TABLE n");
  db_.GreenWriter().Exec("CREATE TABLE n (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--ddl-guard", "off"}));
  blue().Exec("INSERT INTO n VALUES (1)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
}

// As an older pgteal kept it: by name.
TEST_F(Membership, ARecordWithoutOidsIsTakenOver) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  db_.GreenWriter().Exec(
      "UPDATE pgteal.schema_baseline SET definition = '' WHERE kind = 'complete table'");
  ExpectComplete();
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLE h; ALTER PUBLICATION pgteal ADD TABLE h");
  ExpectBehind("h");
}

TEST_F(Membership, APublicationOfAllTablesInPlaceOfSomeBringsTablesWithRows) {
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--include-table", "t"}));
  blue().Exec("INSERT INTO h VALUES (2)");
  blue().Exec("DROP PUBLICATION pgteal; CREATE PUBLICATION pgteal FOR ALL TABLES");
  ExpectBehind("h");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ASSERT_NO_FATAL_FAILURE(ExpectBehind("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("h"));
  ASSERT_NO_FATAL_FAILURE(Reload("t"));
  ExpectComplete();
  // From here on every table is published from its creation.
  blue().Exec("CREATE TABLE n (id int PRIMARY KEY); INSERT INTO n VALUES (1)");
  db_.GreenWriter().Exec("CREATE TABLE n (id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectComplete();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Membership, ASchemaThatIsAddedBringsTablesWithRows) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  ASSERT_NO_FATAL_FAILURE(StreamOnce({"--include-table", "t"}));
  blue().Exec("ALTER PUBLICATION pgteal ADD TABLES IN SCHEMA public");
  ASSERT_NO_FATAL_FAILURE(StreamOnce());
  ExpectBehind("h");
}

// No row of pg_publication changes with it.
TEST_F(Membership, ASchemaThatLeavesThePublicationIsNoticedByTheRunningGuard) {
  if (db_.clusters().blue().major() < 15) GTEST_SKIP() << "for PostgreSQL 15 and later";
  ExecBoth("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLES IN SCHEMA public, s");
  Start();
  const auto is_recorded = [this] {
    return green().Scalar("SELECT count(*) FROM pgteal.schema_baseline WHERE kind = 'recorded'") ==
           "1";
  };
  ASSERT_TRUE(WaitUntil(is_recorded, seconds(30))) << Log();
  blue().Exec("ALTER PUBLICATION pgteal DROP TABLES IN SCHEMA s");
  const auto is_degraded = [this] {
    return green().Scalar("SELECT state FROM pgteal.deployment") == "degraded";
  };
  EXPECT_TRUE(WaitUntil(is_degraded, seconds(30))) << Log();
  EXPECT_THAT(green().Scalar("SELECT detail FROM pgteal.event WHERE kind = 'ddl'"),
              HasSubstr("s.t is not in the publication"));
  StopCleanly();
}

}  // namespace
}  // namespace pgteal::tests
