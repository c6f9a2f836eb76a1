#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

constexpr uint64_t kXidEnd = uint64_t{1} << 32;
// Transactions that are left before the 32 bits of their numbers begin anew.
constexpr uint64_t kXidsLeft = 400;

// Blue at the end of a 4 GB part of its log and of the transaction numbers. Small memory for
// decoding: large transactions are sent before they commit.
class Numbers : public testing::Test {
 protected:
  Numbers()
      : clusters_(DefaultVersions(),
                  {{"autovacuum", "off"}, {"logical_decoding_work_mem", "64kB"}}) {}

  void SetUp() override {
    // Nothing may be older than 2^31 transactions, so it takes three steps, each freezing all.
    for (const uint64_t xid : {uint64_t{1'500'000'000}, uint64_t{3'000'000'000}}) {
      ASSERT_NO_FATAL_FAILURE(Reset(xid, "000000010000000000000010"));
      blue().Connect().Exec("ALTER DATABASE template0 ALLOW_CONNECTIONS true");
      for (const auto* database : {"template0", "template1", "postgres"}) {
        blue().Connect(database).Exec("VACUUM FREEZE");
      }
    }
    ASSERT_NO_FATAL_FAILURE(Reset(kXidEnd - kXidsLeft, "0000000100000003000000FF"));
    db_ = std::make_unique<DatabasePair>(clusters_);
    db_->ExecBoth(
        "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, body text);"
        "ALTER TABLE t ALTER body SET STORAGE EXTERNAL");
    ASSERT_EQ(Lsn("'3/FF000000'"), "t");
    ASSERT_EQ(Lsn("'4/0'"), "f");
  }

  PgCluster& blue() { return clusters_.blue(); }

  // The number that blue goes on from, and the file of its log, unless it is further.
  void Reset(uint64_t xid, const std::string& segment) {
    blue().Stop();
    const auto reset =
        RunToEnd({.argv = {ServerBin(blue().major()) / "pg_resetwal", "-f", "-e", "6", "-x",
                           std::to_string(xid), "-l", segment, "-D", blue().data_folder()},
                  .user = ServerUser()},
                 seconds(30));
    ASSERT_EQ(reset.code, 0);
    WriteCommitLog(xid);
    blue().Start();
  }
  // The segment of pg_xact that a server which had come so far would have.
  void WriteCommitLog(uint64_t xid) {
    char name[8];
    std::snprintf(name, sizeof(name), "%04X", static_cast<unsigned>(xid >> 20));
    const auto file = blue().data_folder() / "pg_xact" / name;
    std::ofstream(file, std::ios::binary) << std::string(256 * 1024, '\0');
    GiveTo(file, ServerUser());
  }
  std::string Lsn(const std::string& lsn) {
    return db_->blue().Scalar("SELECT pg_current_wal_insert_lsn() >= " + lsn);
  }
  bool HasWrapped() {
    return db_->blue().Scalar(
               "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric"
               " >= 7 * 2::numeric ^ 32") == "t";
  }

  std::unique_ptr<PgtealProcess> Start(const std::string& reading) {
    auto pgteal = db_->Pgteal(
        {"run", "--copy", "none", "--read-ahead", reading == "reading ahead" ? "on" : "auto"});
    EXPECT_TRUE(pgteal->WaitForLog(reading + " slot=")) << pgteal->Log();
    return pgteal;
  }
  // Transactions of one number each, one row in and one changed.
  void WriteSmall(int from, int to) {
    for (int id = from; id < to; ++id) {
      const std::string text = std::to_string(id);
      db_->blue().Exec("INSERT INTO t VALUES (" + text + ", 0, 'small');" +
                       "UPDATE t SET n = n + 1 WHERE id = " + std::to_string(id / 2));
    }
  }
  // So many MB in the transaction that `session` has open.
  static void WriteLarge(Sql& session, int first_id, int megabytes) {
    session.Exec("INSERT INTO t SELECT g, 1, repeat('x', 8000) FROM generate_series(" +
                 std::to_string(first_id) + ", " + std::to_string(first_id + megabytes * 128 - 1) +
                 ") AS g");
  }
  void ExpectCaughtUpAndEqual(PgtealProcess& pgteal) {
    ASSERT_TRUE(db_->WaitCaughtUp()) << pgteal.Log();
    EXPECT_TRUE(db_->Equal());
  }
  void ExpectVerified() {
    const auto verify = db_->Pgteal({"verify"});
    EXPECT_EQ(verify->WaitExit(), 0) << verify->Log() << verify->Stdout();
  }

  ClusterPair clusters_;
  std::unique_ptr<DatabasePair> db_;
};

TEST_F(Numbers, ALogOverFourGigabytesAndTransactionNumbersThatBeginAnewAreStreamed) {
  auto pgteal = Start("streaming");
  WriteSmall(1, 80);
  ExpectCaughtUpAndEqual(*pgteal);
  // Over the edge of the log in the midst of a transaction, its begin streamed, its end not.
  Sql crossing(db_->BlueInfo());
  crossing.Exec("BEGIN");
  WriteLarge(crossing, 100'000, 9);
  pgteal->Kill9();
  WriteSmall(80, 120);
  WriteLarge(crossing, 200'000, 9);
  crossing.Exec("COMMIT");
  ASSERT_EQ(Lsn("'4/0'"), "t");
  WriteSmall(120, 160);
  pgteal = Start("reading ahead");
  ExpectCaughtUpAndEqual(*pgteal);
  // Over the edge of the numbers in the midst of one.
  crossing.Exec("BEGIN; SAVEPOINT a");
  WriteLarge(crossing, 300'000, 1);
  ASSERT_FALSE(HasWrapped());
  WriteSmall(160, 160 + static_cast<int>(kXidsLeft));
  ASSERT_TRUE(HasWrapped());
  crossing.Exec("SAVEPOINT b; UPDATE t SET n = 5 WHERE id > 300050; ROLLBACK TO b; SAVEPOINT c");
  WriteLarge(crossing, 400'000, 1);
  ExpectCaughtUpAndEqual(*pgteal);
  pgteal->Kill9();
  crossing.Exec("COMMIT");
  pgteal = Start("streaming");
  WriteSmall(1000, 1050);
  ExpectCaughtUpAndEqual(*pgteal);
  ExpectVerified();
}

}  // namespace
}  // namespace pgteal::tests
