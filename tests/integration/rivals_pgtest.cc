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
