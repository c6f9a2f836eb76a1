#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/pg_cluster.h"

namespace pgteal::tests {
namespace {

class EveryVersion : public testing::TestWithParam<int> {};

TEST_P(EveryVersion, StartsAndAnswersOnSocketAndTcp) {
  PgCluster cluster(GetParam());
  cluster.Start();
  Sql sql = cluster.Connect();
  const int version = std::stoi(sql.Scalar("SHOW server_version_num"));
  EXPECT_EQ(version / 10000, GetParam());
  EXPECT_EQ(sql.Scalar("SHOW wal_level"), "logical");
  EXPECT_EQ(sql.Scalar("SHOW server_encoding"), "UTF8");
  EXPECT_EQ(Sql(cluster.TcpConnInfo()).Scalar("SELECT 1"), "1");
}

TEST_P(EveryVersion, KeepsCommittedRowsOverRestartAndKill) {
  PgCluster cluster(GetParam());
  cluster.Start();
  const int port = cluster.port();
  cluster.Connect().Exec("CREATE TABLE t(a int); INSERT INTO t VALUES (1)");
  cluster.Restart();
  cluster.Connect().Exec("INSERT INTO t VALUES (2)");
  cluster.Restart(PgCluster::StopMode::kImmediate);
  cluster.Connect().Exec("INSERT INTO t VALUES (3)");
  cluster.Kill9();
  EXPECT_FALSE(cluster.IsRunning());
  cluster.Start();
  EXPECT_EQ(cluster.Connect().Scalar("SELECT string_agg(a::text, ',' ORDER BY a) FROM t"), "1,2,3");
  EXPECT_EQ(cluster.port(), port);
}

INSTANTIATE_TEST_SUITE_P(Majors, EveryVersion, testing::Values(14, 15, 16, 17, 18),
                         testing::PrintToStringParamName());

TEST(Cluster, SettingsAreInForceAfterReloadAndRestart) {
  PgCluster cluster(17, {{"wal_sender_timeout", "2s"}, {"search_path", "it's"}});
  cluster.Start();
  EXPECT_EQ(cluster.Connect().Scalar("SHOW wal_sender_timeout"), "2s");
  EXPECT_EQ(cluster.Connect().Scalar("SHOW search_path"), "it's");
  cluster.Set("max_connections", "33");
  cluster.Restart();
  EXPECT_EQ(cluster.Connect().Scalar("SHOW max_connections"), "33");
}

TEST(Cluster, EachHasItsOwnSystemIdentifier) {
  PgCluster one(17);
  PgCluster other(17);
  one.Start();
  other.Start();
  const std::string query = "SELECT system_identifier FROM pg_control_system()";
  EXPECT_NE(one.Connect().Scalar(query), other.Connect().Scalar(query));
}

TEST(Cluster, StartsWithinASecondOnceInitdbIsDone) {
  PgCluster cluster(17);
  cluster.Start();
  cluster.Stop();
  const auto begin = std::chrono::steady_clock::now();
  cluster.Start();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

// Field 2 of /proc/sysvipc/shm.
bool IsSharedMemory(int id) {
  std::ifstream in("/proc/sysvipc/shm");
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream words(line);
    int64_t key = 0;
    int found = 0;
    if (words >> key >> found && found == id) return true;
  }
  return false;
}

TEST(Cluster, LeavesNoSharedMemoryBehind) {
  for (const bool is_killed : {false, true}) {
    int id = 0;
    {
      PgCluster cluster(17);
      cluster.Start();
      id = cluster.shared_memory_id().value();
      EXPECT_TRUE(IsSharedMemory(id));
      if (is_killed) cluster.Kill9();
    }
    EXPECT_FALSE(IsSharedMemory(id)) << (is_killed ? "killed" : "running to the end");
  }
}

TEST(SqlClient, TellsTheSqlstateOfAFailure) {
  PgCluster cluster(15);
  cluster.Start();
  Sql sql = cluster.Connect();
  EXPECT_EQ(sql.Failure("SELECT 1/0"), "22012");
  EXPECT_EQ(sql.Failure("SELECT 1"), "");
  EXPECT_THROW(sql.Exec("nonsense"), SqlError);
  EXPECT_EQ(sql.Query("SELECT 1, NULL"), (Rows{{"1", "\\N"}}));
}

}  // namespace
}  // namespace pgteal::tests
