#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "pg/connection.h"
#include "pg/replication.h"
#include "pipeline/slot_restart.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/wait.h"

namespace pgteal::pipeline {
namespace {

// A slot that has confirmed what would be decoded again at every start.
class SlotRestart : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    server_.Start();
    side_ = std::make_unique<tests::Sql>(server_.ConnInfo());
    side_->Exec("CREATE TABLE t (a int, v text); CREATE PUBLICATION s FOR ALL TABLES");
    side_->Exec("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
  }

  // 24 MB of WAL, which the slot has confirmed in one go. Checkpoints write lists of the running
  // transactions, where decoding can begin: a slot takes the first one that it comes to.
  void Write() {
    side_->Exec("CHECKPOINT");
    side_->Exec("INSERT INTO t SELECT g, repeat('v', 2000) FROM generate_series(1, 12000) AS g");
    side_->Exec("CHECKPOINT");
    side_->Exec("INSERT INTO t VALUES (0)");
    Changes();
  }
  // Inserts that have come since it was last asked.
  std::string Changes() {
    return side_->Scalar(
        "SELECT count(*) FILTER (WHERE get_byte(data, 0) = ascii('I')) FROM"
        " pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1',"
        " 'publication_names', 's')");
  }
  std::string RestartLsn() { return side_->Scalar("SELECT restart_lsn FROM pg_replication_slots"); }
  void Move() {
    pg::Connection blue(pg::ConnInfo::Parse(server_.ConnInfo()), {});
    MoveRestartLsn(blue, "s");
  }
  bool IsAtMost(const std::string& lsn, const std::string& limit) {
    return side_->Scalar("SELECT '" + lsn + "'::pg_lsn <= '" + limit + "'::pg_lsn") == "t";
  }

  tests::PgCluster server_{GetParam()};
  std::unique_ptr<tests::Sql> side_;
};

TEST_P(SlotRestart, MovesPastWhatWasConfirmedAndLosesNothingBehindIt) {
  Write();
  side_->Exec("INSERT INTO t VALUES (1), (2)");
  const std::string before = RestartLsn();
  ASSERT_EQ(side_->Scalar("SELECT confirmed_flush_lsn - restart_lsn > 16 << 20 FROM"
                          " pg_replication_slots"),
            "t");
  Move();
  EXPECT_FALSE(IsAtMost(RestartLsn(), before));
  EXPECT_EQ(Changes(), "2");
}

TEST_P(SlotRestart, StaysBeforeATransactionThatIsStillOpen) {
  auto open = server_.Connect();
  open.Exec("BEGIN; INSERT INTO t VALUES (-1)");
  const std::string begun = side_->Scalar("SELECT pg_current_wal_insert_lsn()");
  Write();
  Move();
  EXPECT_TRUE(IsAtMost(RestartLsn(), begun));
  open.Exec("INSERT INTO t VALUES (-2); COMMIT");
  EXPECT_EQ(Changes(), "2");
}

TEST_P(SlotRestart, LeavesASlotAloneThatSomebodyStreams) {
  Write();
  pg::ReplicationConnection stream(pg::ConnInfo::Parse(server_.ConnInfo()), {});
  stream.StartReplication({.slot = "s", .publication = "s"}, {});
  // On its way to what was confirmed, the walsender moves the slot itself.
  ASSERT_TRUE(tests::WaitUntil(
      [this] {
        return side_->Scalar(
                   "SELECT sent_lsn >= pg_current_wal_flush_lsn() FROM"
                   " pg_stat_replication") == "t";
      },
      std::chrono::seconds(30)));
  const std::string before = RestartLsn();
  Move();
  EXPECT_EQ(RestartLsn(), before);
  EXPECT_EQ(side_->Scalar("SELECT active FROM pg_replication_slots"), "t");
}

// Before 17 a call leaves the slot where the last list is, and only a stream can leave it behind.
INSTANTIATE_TEST_SUITE_P(Versions, SlotRestart, testing::Values(17, 18));

}  // namespace
}  // namespace pgteal::pipeline
