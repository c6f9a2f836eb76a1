#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "decoder/assembler.h"
#include "decoder/early_transaction.h"
#include "tests/support/memory_logs.h"
#include "tests/unit/decoder/assembler_fixture.h"

namespace pgteal::decoder {
namespace {

using tests::kTable;
using tests::kWriter;

// Has nothing to read; whether it is cut is all that is asked of it.
class EmptyTail : public MessageTail {
 public:
  void Rewind() override {}
  bool Next(pg::Lsn* /*lsn*/, std::string_view* /*message*/) override { return false; }
  void Cut() noexcept override {}
};

// A log in memory that can be followed.
class FollowedLog : public MessageLog {
 public:
  FollowedLog(std::unique_ptr<MessageLog> log, bool* is_sealed)
      : log_(std::move(log)), is_sealed_(is_sealed) {}
  void Append(pg::Lsn lsn, std::string_view message) override { log_->Append(lsn, message); }
  std::unique_ptr<MessageTail> Follow() override { return std::make_unique<EmptyTail>(); }
  void Seal() override { *is_sealed_ = true; }
  void Rewind() override { log_->Rewind(); }
  bool Next(pg::Lsn* lsn, std::string_view* message) override { return log_->Next(lsn, message); }

 private:
  const std::unique_ptr<MessageLog> log_;
  bool* const is_sealed_;
};

class FollowedLogs : public MessageLogs {
 public:
  std::unique_ptr<MessageLog> Open(pg::Xid xid) override {
    return std::make_unique<FollowedLog>(logs_.Open(xid), &is_sealed);
  }
  bool is_sealed = false;

 private:
  tests::MemoryLogs logs_;
};

// Remembers what it is told.
class Told : public EarlyTransaction {
 public:
  Told(pg::Xid xid, std::unique_ptr<MessageTail> tail, SpooledState state, pg::Lsn fence)
      : xid_(xid), changes_(std::move(tail), std::move(state)), fence_(fence) {}
  pg::Xid xid() const override { return xid_; }
  ChangeSource& changes() override { return changes_; }
  pg::Lsn fence() const override { return fence_; }
  void MoveFence(pg::Lsn fence) override { fence_ = fence; }
  bool Claim() override { return true; }
  void Abandon() noexcept override { is_abandoned_ = true; }
  bool is_abandoned() const { return is_abandoned_; }

 private:
  const pg::Xid xid_;
  SpooledChanges changes_;
  pg::Lsn fence_;
  bool is_abandoned_ = false;
};

class Taker : public EarlyApply {
 public:
  bool WantsOne() override { return is_free; }
  std::shared_ptr<EarlyTransaction> Begin(pg::Xid xid, std::unique_ptr<MessageTail> tail,
                                          SpooledState state, pg::Lsn fence) override {
    taken.push_back(std::make_shared<Told>(xid, std::move(tail), std::move(state), fence));
    return taken.back();
  }

  bool is_free = true;
  std::vector<std::shared_ptr<Told>> taken;
};

class AssemblerEarlyTest : public tests::AssemblerTest {
 protected:
  AssemblerEarlyTest() {
    assembler_.emplace(AssemblerOptions{.protocol_version = 2, .early_bytes_min = 1},
                       followed_logs_, &taker_);
  }
  void StreamRow(uint32_t xid, bool first, const std::string& id, uint32_t subxid = 0) {
    std::vector<std::string> messages;
    if (first) messages.push_back(TableIn(xid));
    messages.push_back(Row(kTable, id, subxid == 0 ? xid : subxid));
    Stream(xid, first, messages);
  }
  // A transaction that is complete in one piece and ends at `end_lsn`.
  void CommitSmall(uint64_t end_lsn) {
    FeedAll({kWriter.Begin({end_lsn - 1}, tests::kTime, 5), kWriter.Relation(table_),
             Row(kTable, "small")});
    EXPECT_NE(Feed(kWriter.Commit({end_lsn - 1}, {end_lsn}, tests::kTime)), nullptr);
  }

  FollowedLogs followed_logs_;
  Taker taker_;
};

TEST_F(AssemblerEarlyTest, IsOfferedOnceAndComesWithTheCommit) {
  StreamRow(10, true, "1");
  StreamRow(10, false, "2");
  ASSERT_EQ(taker_.taken.size(), 1U);
  EXPECT_EQ(taker_.taken[0]->xid(), pg::Xid{10});
  const auto transaction = Feed(StreamCommit(10));
  EXPECT_EQ(transaction->early, taker_.taken[0]);
  EXPECT_TRUE(followed_logs_.is_sealed);
  EXPECT_FALSE(taker_.taken[0]->is_abandoned());
}

TEST_F(AssemblerEarlyTest, WaitsForWhatCommittedBeforeButNotForItself) {
  CommitSmall(50);
  StreamRow(10, true, "1");
  ASSERT_EQ(taker_.taken.size(), 1U);
  const auto early = taker_.taken[0];
  EXPECT_EQ(early->fence(), pg::Lsn{50});
  CommitSmall(70);
  EXPECT_EQ(early->fence(), pg::Lsn{70});
  taker_.is_free = false;
  StreamRow(20, true, "2");
  EXPECT_NE(Feed(StreamCommit(20)), nullptr);  // ends at 1001
  EXPECT_EQ(early->fence(), pg::Lsn{1001});
  EXPECT_NE(Feed(kWriter.StreamCommit(10, {2000}, {2001}, tests::kTime)), nullptr);
  EXPECT_EQ(early->fence(), pg::Lsn{1001});
  CommitSmall(3000);
  EXPECT_EQ(early->fence(), pg::Lsn{1001});
}

TEST_F(AssemblerEarlyTest, NobodyIsAskedWhoIsBusyAndTheOfferIsMadeLater) {
  taker_.is_free = false;
  StreamRow(10, true, "1");
  EXPECT_TRUE(taker_.taken.empty());
  taker_.is_free = true;
  StreamRow(10, false, "2");
  EXPECT_EQ(taker_.taken.size(), 1U);
}

TEST_F(AssemblerEarlyTest, IsAbandonedWithEveryRollback) {
  StreamRow(10, true, "1");
  FeedAll({kWriter.StreamAbort(10, 10)});
  EXPECT_TRUE(taker_.taken.at(0)->is_abandoned());
  StreamRow(20, true, "1");
  StreamRow(20, false, "2", 21);
  FeedAll({kWriter.StreamAbort(20, 21)});
  EXPECT_TRUE(taker_.taken.at(1)->is_abandoned());
  StreamRow(30, true, "1");
  assembler_->Restart();
  EXPECT_TRUE(taker_.taken.at(2)->is_abandoned());
}

}  // namespace
}  // namespace pgteal::decoder
