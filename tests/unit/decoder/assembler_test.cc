#include "decoder/assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pg/error.h"
#include "tests/support/change_text.h"
#include "tests/unit/decoder/assembler_fixture.h"

namespace pgteal::decoder {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::AssemblerTest;
using tests::ChangeTexts;
using tests::Key;
using tests::kTable;
using tests::kTime;
using tests::kWriter;
using tests::Null;
using tests::SampleRelation;
using tests::Text;
using tests::WiderRelation;

std::string T(const std::string& rest) { return "public.t[*id:23 note:25 ]" + rest; }

TEST_F(AssemblerTest, ACommitCompletesTheTransaction) {
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1"),
           kWriter.Update(kTable, {}, {Text("1"), Text("b")}),
           kWriter.Delete(kTable, Key({Text("1"), Null()})), kWriter.Truncate({kTable}, {})});
  EXPECT_TRUE(assembler_->in_transaction());
  const auto transaction = Feed(kWriter.Commit({1000}, {1001}, kTime));
  ASSERT_NE(transaction, nullptr);
  EXPECT_FALSE(assembler_->in_transaction());
  EXPECT_EQ(transaction->xid, pg::Xid{7});
  EXPECT_EQ(transaction->commit_lsn, pg::Lsn{1000});
  EXPECT_EQ(transaction->end_lsn, pg::Lsn{1001});
  EXPECT_EQ(transaction->commit_time, kTime);
  EXPECT_EQ(transaction->origin, "");
  EXPECT_EQ(transaction->change_count, 4U);
  EXPECT_EQ(transaction->source, nullptr);
  EXPECT_THAT(ChangeTexts(transaction.get()),
              ElementsAre("insert " + T(" N(t'1' n'' ) @0/3"), "update " + T(" N(t'1' t'b' ) @0/4"),
                          "delete " + T(" K(t'1' n'' ) @0/5"), "truncate " + T(" @0/6")));
}

TEST_F(AssemblerTest, AnEmptyTransactionIsATransaction) {
  FeedAll({Begin()});
  const auto transaction = Feed(Commit());
  ASSERT_NE(transaction, nullptr);
  EXPECT_EQ(transaction->change_count, 0U);
  EXPECT_THAT(ChangeTexts(transaction.get()), IsEmpty());
}

TEST_F(AssemblerTest, TransactionsOutliveTheAssembler) {
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1")});
  const auto transaction = Feed(Commit());
  assembler_.reset();
  EXPECT_THAT(ChangeTexts(transaction.get()), ElementsAre("insert " + T(" N(t'1' n'' ) @0/3")));
}

TEST_F(AssemblerTest, OriginIsKept) {
  FeedAll({Begin(), kWriter.Origin({5}, "reverse")});
  EXPECT_EQ(Feed(Commit())->origin, "reverse");
  Stream(8, true, {kWriter.Origin({5}, "other")});
  EXPECT_EQ(Feed(StreamCommit(8))->origin, "other");
}

TEST_F(AssemblerTest, ChangesKeepTheRelationVersionTheyWereWrittenUnder) {
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1"),
           kWriter.Relation(WiderRelation(kTable, "t")),
           kWriter.Insert(kTable, {Text("2"), Null(), Null()})});
  const auto transaction = Feed(Commit());
  EXPECT_EQ(transaction->block.relations.size(), 2U);
  EXPECT_EQ(transaction->block.changes[0].relation->columns.size(), 2U);
  EXPECT_EQ(transaction->block.changes[1].relation->columns.size(), 3U);
}

TEST_F(AssemblerTest, ARelationAnnouncedAgainUnchangedStaysTheSameObject) {
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1")});
  const auto first = Feed(Commit());
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1")});
  const auto second = Feed(Commit());
  EXPECT_EQ(first->block.changes[0].relation, second->block.changes[0].relation);
}

TEST_F(AssemblerTest, TransactionalMessagesAreChangesThatAreNotCounted) {
  FeedAll({Begin(), kWriter.Message({true, {5}, "p", "c"})});
  const auto transaction = Feed(Commit());
  EXPECT_EQ(transaction->change_count, 0U);
  EXPECT_THAT(ChangeTexts(transaction.get()),
              ElementsAre("message transactional 0/5 'p' 'c' @0/2"));
}

TEST_F(AssemblerTest, NonTransactionalMessagesAreDroppedAndCounted) {
  FeedAll(
      {kWriter.Message({false, {5}, "p", "c"}), Begin(), kWriter.Message({false, {5}, "p", "c"})});
  EXPECT_EQ(assembler_->dropped_message_count(), 2U);
  EXPECT_THAT(ChangeTexts(Feed(Commit()).get()), IsEmpty());
}

TEST_F(AssemblerTest, TwoPhaseMessagesNameTheSlotOption) {
  const tests::PgoutputWriter::Prepared prepared{{1}, {2}, {3}, 4, "gid"};
  for (const std::string& message :
       {kWriter.BeginPrepare(prepared), kWriter.Prepare(prepared), kWriter.CommitPrepared(prepared),
        kWriter.StreamPrepare(prepared), kWriter.RollbackPrepared(prepared, {5}, {6})}) {
    try {
      Feed(message);
      ADD_FAILURE() << message[0];
    } catch (const pg::ProtocolError& error) {
      EXPECT_THAT(error.what(), HasSubstr("two_phase"));
      EXPECT_THAT(error.hint(), HasSubstr("without two_phase"));
    }
  }
}

TEST_F(AssemblerTest, ACommitMustBeTheOneThatBeginPromised) {
  FeedAll({Begin()});
  EXPECT_EQ(ErrorOf(kWriter.Commit({1001}, {1002}, kTime)),
            "Commit at 0/3E9 of a transaction whose Begin said 0/3E8");
}

// What leads up to a message that is out of order there.
struct OrderCase {
  std::string name;
  std::vector<std::string> before;
  std::string message;
  std::string expected;
};

std::vector<OrderCase> OrderCases() {
  const Relation table = SampleRelation(kTable, "t");
  const std::string begin = kWriter.Begin({1}, kTime, 7);
  const std::string start = kWriter.StreamStart(7, true);
  const std::string stop = kWriter.StreamStop();
  const std::string commit = kWriter.StreamCommit(7, {1}, {2}, kTime);
  const std::string insert = kWriter.Insert(kTable, {Null(), Null()});
  const std::string abort = kWriter.StreamAbort(7, 7);
  return {
      {"insert first", {}, insert, "message Insert outside"},
      {"truncate first", {}, kWriter.Truncate({kTable}, {}), "message Truncate outside"},
      {"insert between blocks", {start, stop}, insert, "message Insert outside"},
      {"message first", {}, kWriter.Message({true, {1}, "", ""}), "message Message outside"},
      {"relation first", {}, kWriter.Relation(table), "message Relation outside"},
      {"type first", {}, kWriter.Type(1, "a", "b"), "message Type outside"},
      {"origin first", {}, kWriter.Origin({1}, "o"), "message Origin outside"},
      {"commit first", {}, kWriter.Commit({1}, {2}, kTime), "message Commit without Begin"},
      {"commit in stream", {start}, kWriter.Commit({1}, {2}, kTime), "message Commit without"},
      {"nested begin", {begin}, begin, "message Begin inside"},
      {"begin in stream", {start}, begin, "message Begin inside"},
      {"stream in transaction", {begin}, start, "message Stream Start inside"},
      {"stream in stream", {start}, kWriter.StreamStart(8, true), "message Stream Start inside"},
      {"stream begun twice", {start, stop}, start, "open already"},
      {"stream not begun", {}, kWriter.StreamStart(7, false), "never begun"},
      {"stop first", {}, stop, "message Stream Stop without"},
      {"stop in transaction", {begin}, stop, "message Stream Stop without"},
      {"stream commit of unknown", {}, commit, "message Stream Commit of"},
      {"stream commit twice", {start, stop, abort}, commit, "message Stream Commit of"},
      {"stream commit in stream", {start}, commit, "message Stream Commit inside"},
      {"abort in its own stream", {start}, abort, "message Stream Abort inside"},
      {"garbage", {}, "Z", "unknown message type"},
      {"nothing", {}, "", "cut short"},
  };
}

TEST_F(AssemblerTest, AMessageOutOfOrderIsNamed) {
  for (const OrderCase& c : OrderCases()) {
    UseOptions({.protocol_version = 2});
    FeedAll(c.before);
    EXPECT_THAT(ErrorOf(c.message), HasSubstr(c.expected)) << c.name;
  }
}

TEST_F(AssemblerTest, ProtocolVersionOneHasNoStreams) {
  UseOptions({.protocol_version = 1});
  EXPECT_THAT(ErrorOf(kWriter.StreamStart(7, true)), HasSubstr("in protocol version 1"));
}

}  // namespace
}  // namespace pgteal::decoder
