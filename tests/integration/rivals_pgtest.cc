#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"
#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

// Two databases that a deployment is between already.
class Rivals : public StreamTest {
 protected:
  void SetUp() override {
    ExecBoth("CREATE TABLE a(id serial PRIMARY KEY, v text); CREATE TABLE b(id int PRIMARY KEY)");
  }
  void ExpectRefused(const Args& args, const std::string& why, bool is_swapped = false) {
    const std::string blue_info = is_swapped ? db_.GreenInfo() : db_.BlueInfo();
    const std::string green_info = is_swapped ? db_.BlueInfo() : db_.GreenInfo();
    const auto process = db_.PgtealVia(blue_info, green_info, args);
    EXPECT_EQ(process->WaitExit(std::chrono::seconds(60)), 3) << process->Log();
    EXPECT_THAT(process->Log(), testing::HasSubstr(why));
  }
  void TearDown() override { green().Failure("DROP SUBSCRIPTION IF EXISTS native"); }
  // Sending ends: none on green, the deployment's own on blue.
  void ExpectNothingMade() {
    for (const char* ends : {"pg_publication",
                             "pg_replication_slots WHERE database ="
                             " current_database()"}) {
      const std::string count = "SELECT count(*) FROM " + std::string(ends);
      EXPECT_EQ(green().Scalar(count), "0");
      EXPECT_EQ(blue().Scalar(count), "1");
    }
  }
};

TEST_F(Rivals, SwappedSidesAreRefusedAndBlueGoesOnTakingWrites) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  for (const char* copy : {"none", "data", "all"}) {
    ExpectRefused({"run", "--copy", copy, "--until-caught-up"}, "swapped", true);
    ExpectRefused({"run", "--copy", copy, "--until-caught-up", "--name", "other"}, "swapped", true);
  }
  ExpectNothingMade();
  Sql(db_.BlueInfo()).Exec("INSERT INTO a(v) VALUES ('still open')");
}

TEST_F(Rivals, SequencesGoOnlyTheWayOfTheDeployment) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("SELECT setval('a_id_seq', 1000)");
  ExpectRefused({"sync-sequences"}, "holds no deployment pgteal", true);
  ExpectRefused({"sync-sequences", "--name", "other"}, "holds no deployment other");
  EXPECT_EQ(blue().Scalar("SELECT last_value FROM a_id_seq"), "1000");
  EXPECT_EQ(green().Scalar("SELECT last_value FROM a_id_seq"), "1");
}

TEST_F(Rivals, ASecondDeploymentOfATableIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  ExpectRefused({"run", "--copy", "none", "--until-caught-up", "--name", "other"},
                "already, by deployment pgteal");
  ExpectRefused({"run", "--copy", "data", "--until-caught-up", "--name", "other"},
                "already, by deployment pgteal");
  ExpectNothingMade();
}

TEST_F(Rivals, ASecondDeploymentOfOtherTablesIsNot) {
  ASSERT_EQ(RunUntilCaughtUp({"--include-table", "public.a"}), 0) << Log();
  ExpectRefused({"run", "--copy", "none", "--until-caught-up", "--name", "other", "--include-table",
                 "public.*"},
                "takes table \"public\".\"a\" from this blue already");
  ASSERT_EQ(RunUntilCaughtUp({"--name", "other", "--include-table", "public.b"}), 0) << Log();
  blue().Exec("INSERT INTO a(v) VALUES ('x'); INSERT INTO b VALUES (1)");
  ASSERT_EQ(RunUntilCaughtUp(), 0) << Log();
  ASSERT_EQ(RunUntilCaughtUp({"--name", "other"}), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

// A publication of the root lists the partitions, or the root alone; one of a partition that.
TEST_F(Rivals, ASecondDeploymentOfAPartitionTreeIsRefused) {
  ExecBoth(
      "CREATE TABLE m(k int) PARTITION BY RANGE (k);"
      "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (100);"
      "CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (100) TO (200);"
      "CREATE TABLE empty(k int) PARTITION BY RANGE (k);"
      "ALTER TABLE m1 REPLICA IDENTITY FULL; ALTER TABLE m2 REPLICA IDENTITY FULL");
  struct Case {
    const char* first;
    const char* second;
    bool is_common;
  };
  for (const bool via_root : {false, true}) {
    const std::string option = via_root ? " WITH (publish_via_partition_root = true)" : "";
    for (const Case& one : {Case{"m", "m", true}, Case{"m", "m1", true}, Case{"m1", "m", true},
                            Case{"m1", "m2", false}, Case{"empty", "empty", true}}) {
      blue().Exec("CREATE PUBLICATION first FOR TABLE " + std::string(one.first) + option);
      ASSERT_EQ(RunUntilCaughtUp({"--name", "first"}), 0) << Log();
      const auto second = db_.Pgteal({"run", "--copy", "none", "--until-caught-up", "--name",
                                      "second", "--include-table", one.second});
      EXPECT_EQ(second->WaitExit(), one.is_common ? 3 : 0) << second->Log();
      EXPECT_EQ(second->Log().find("by deployment first") != std::string::npos, one.is_common)
          << one.first << " and " << one.second << option;
      for (const char* name : {"first", "second"}) {
        const auto cleanup = db_.Pgteal({"cleanup", "--name", name});
        ASSERT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
        if (one.is_common) break;
      }
    }
  }
}

TEST_F(Rivals, ASubscriptionOfGreenThatFeedsTheSameTablesIsRefused) {
  ExecBoth(
      "CREATE TABLE parted(id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (100)");
  blue().Exec(
      "CREATE PUBLICATION theirs FOR TABLE a, parted WITH (publish_via_partition_root = true)");
  green().Exec("CREATE SUBSCRIPTION native CONNECTION '" + db_.BlueInfo() +
               "' PUBLICATION theirs WITH (copy_data = false)");
  for (const char* copy : {"none", "data"}) {
    ExpectRefused({"run", "--copy", copy, "--until-caught-up"},
                  "subscription \"native\" of green feeds table \"public\".\"a\" already");
  }
  ExpectRefused({"run", "--copy", "none", "--include-table", "public.part"},
                "feeds table \"public\".\"part\" already");
  ExpectNothingMade();
  // Nobody is told to pull the ground from under it.
  ASSERT_TRUE(
      WaitUntil([&] { return blue().Scalar("SELECT active FROM pg_replication_slots") == "t"; },
                std::chrono::seconds(30)));
  const auto check = RunCheck(db_, {"--only", "F4,F5"});
  EXPECT_EQ(check.Findings("F4"), "slot native (pgoutput, in use)\n\n");
  EXPECT_EQ(check.Findings("F5"), "subscription native\nALTER SUBSCRIPTION native DISABLE;\n");
  // It feeds no other table, and nothing any more.
  const auto other =
      db_.Pgteal({"run", "--copy", "none", "--until-caught-up", "--include-table", "public.b"});
  EXPECT_EQ(other->WaitExit(), 0) << other->Log();
  green().Exec("ALTER SUBSCRIPTION native DISABLE");
  const auto same = db_.Pgteal({"run", "--copy", "none", "--until-caught-up", "--name", "second",
                                "--include-table", "public.a"});
  EXPECT_EQ(same->WaitExit(), 0) << same->Log();
}

}  // namespace
}  // namespace pgteal::tests
