#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "applier/progress_row.h"
#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/connection.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

// A server that flushes by itself only what makes whole pages, and a record on such a page.
class FlushPast : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    server_.Start();
    side_ = std::make_unique<Sql>(server_.ConnInfo());
    side_->Exec("CREATE TABLE t (a int); CREATE PUBLICATION p FOR ALL TABLES");
    side_->Exec("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
    connection_ = std::make_unique<pg::Connection>(pg::ConnInfo::Parse(server_.ConnInfo()),
                                                   pg::SessionOptions{});
    side_->Exec("SET synchronous_commit = off");
  }

  bool IsFlushed(const std::string& lsn) {
    return side_->Scalar("SELECT pg_current_wal_flush_lsn() >= '" + lsn + "'") == "t";
  }
  // The end of a commit that the server has not flushed.
  std::string UnflushedCommit() {
    std::string end;
    EXPECT_TRUE(WaitUntil(
        [&] {
          side_->Exec("INSERT INTO t VALUES (1)");
          end = side_->Scalar("SELECT pg_current_wal_insert_lsn()");
          return !IsFlushed(end);
        },
        std::chrono::seconds(20)));
    return end;
  }
  // Messages of this type since it was last asked; what has been flushed only.
  std::string Messages(char type) {
    return side_->Scalar(
        "SELECT count(*) FILTER (WHERE get_byte(data, 0) = " +
        std::to_string(static_cast<int>(type)) +
        ") FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1',"
        " 'publication_names', 'p')");
  }

  PgCluster server_{GetParam(), {{"wal_writer_delay", "10s"}, {"autovacuum", "off"}}};
  std::unique_ptr<Sql> side_;
  std::unique_ptr<pg::Connection> connection_;
};

constexpr pg::Lsn kPageEnd{0x4000};

TEST_P(FlushPast, FlushesARecordOnAPageThatIsNotFull) {
  const std::string end = UnflushedCommit();
  pg::FlushPast(*connection_, kPageEnd);
  EXPECT_TRUE(IsFlushed(end));
}

TEST_P(FlushPast, IsNoTransactionInAnyStream) {
  UnflushedCommit();
  pg::FlushPast(*connection_, kPageEnd);
  EXPECT_NE(Messages('B'), "0") << "the inserts";
  pg::FlushPast(*connection_, kPageEnd);
  EXPECT_EQ(Messages('B'), "0");
}

// A flush that did not end with a page ended with a record, and that one has been sent.
TEST_P(FlushPast, WritesNothingForAPositionWithinAPage) {
  const std::string end = UnflushedCommit();
  pg::FlushPast(*connection_, pg::Lsn{kPageEnd.value + 8});
  EXPECT_EQ(side_->Scalar("SELECT pg_current_wal_insert_lsn()"), end);
}

INSTANTIATE_TEST_SUITE_P(Versions, FlushPast, testing::Values(14, 15, 16, 17, 18));

// Commits are not waited for by default on this server.
class LazyServer : public testing::Test {
 protected:
  LazyServer() { server_.Start(); }
  pg::Connection Connect() const {
    return pg::Connection(pg::ConnInfo::Parse(server_.ConnInfo()), pg::SessionOptions{});
  }

  PgCluster server_{
      17, {{"wal_writer_delay", "10s"}, {"autovacuum", "off"}, {"synchronous_commit", "off"}}};
};

// Blue is told at once that green has what the row says.
TEST_F(LazyServer, WhatATakeOverReadsIsDurable) {
  auto green = Connect();
  applier::EnsureSchema(green);
  applier::InsertProgress(green, "s", pg::Lsn{1});
  auto side = server_.Connect();
  const auto advance = [&side] {
    side.Exec("UPDATE pgteal.progress SET end_lsn = end_lsn + 1");
    const std::string end = side.Scalar("SELECT pg_current_wal_insert_lsn()");
    return side.Scalar("SELECT pg_current_wal_flush_lsn() < '" + end + "'") == "t";
  };
  ASSERT_TRUE(WaitUntil(advance, std::chrono::seconds(20)));
  const std::string end = side.Scalar("SELECT pg_current_wal_insert_lsn()");
  applier::TakeOver(green, "s", std::nullopt, 1000);
  EXPECT_EQ(side.Scalar("SELECT pg_current_wal_flush_lsn() >= '" + end + "'"), "t");
}

TEST_F(LazyServer, CommitsThatDecideSomethingAreDurable) {
  auto session = Connect();
  pg::MakeCommitsDurable(session);
  EXPECT_EQ(pg::Setting(session, "synchronous_commit"), "local");
  session.Exec("SET synchronous_commit = remote_apply");
  pg::MakeCommitsDurable(session);
  EXPECT_EQ(pg::Setting(session, "synchronous_commit"), "remote_apply");
}

}  // namespace
}  // namespace pgteal::tests
