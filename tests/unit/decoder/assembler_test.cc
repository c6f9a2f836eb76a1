#include "decoder/assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pg/error.h"
#include "tests/support/change_text.h"
#include "tests/support/memory_logs.h"
#include "tests/support/pgoutput_writer.h"
#include "tests/unit/decoder/sample_relations.h"

namespace pgteal::decoder {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::ChangeTexts;
using tests::Key;
using tests::Null;
using tests::SampleRelation;
using tests::Text;
using tests::WiderRelation;

constexpr uint32_t kTable = 16385;
constexpr uint32_t kOther = 16390;
constexpr pg::Timestamp kTime{99};
const tests::PgoutputWriter kWriter;

std::string T(const std::string& rest) { return "public.t[*id:23 note:25 ]" + rest; }

// An assembler with its logs. Each message gets the next LSN.
class AssemblerTest : public ::testing::Test {
 protected:
  void UseOptions(AssemblerOptions options) { assembler_.emplace(options, logs_); }

  std::unique_ptr<Transaction> Feed(const std::string& message) {
    return assembler_->Feed(message, {++lsn_});
  }
  void FeedAll(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) EXPECT_EQ(Feed(message), nullptr);
  }
  std::string ErrorOf(const std::string& message) {
    try {
      Feed(message);
    } catch (const pg::ProtocolError& error) {
      return error.what();
    }
    return "no error";
  }

  std::string Begin(uint32_t xid = 7) { return kWriter.Begin({1000}, kTime, xid); }
  std::string Commit() { return kWriter.Commit({1000}, {1001}, kTime); }
  std::string StreamCommit(uint32_t xid) {
    return kWriter.StreamCommit(xid, {1000}, {1001}, kTime);
  }
  std::string Row(uint32_t relation, const std::string& id, uint32_t xid = 0) {
    const auto writer = xid == 0 ? kWriter : kWriter.In(xid);
    return writer.Insert(relation, {Text(id), Null()});
  }
  // One block of a streamed transaction.
  void Stream(uint32_t xid, bool first, const std::vector<std::string>& messages) {
    EXPECT_EQ(Feed(kWriter.StreamStart(xid, first)), nullptr);
    EXPECT_TRUE(assembler_->in_transaction());
    FeedAll(messages);
    EXPECT_EQ(Feed(kWriter.StreamStop()), nullptr);
    EXPECT_FALSE(assembler_->in_transaction());
  }
  std::string TableIn(uint32_t xid) { return kWriter.In(xid).Relation(table_); }

  Relation table_ = SampleRelation(kTable, "t");
  tests::MemoryLogs logs_;
  std::optional<Assembler> assembler_{std::in_place, AssemblerOptions{.protocol_version = 2},
                                      logs_};
  uint64_t lsn_ = 0;
};

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

TEST_F(AssemblerTest, StreamedTransactionsInterleaveAndCommitOnTheirOwn) {
  Stream(10, true, {TableIn(10), Row(kTable, "a1", 10)});
  Stream(20, true, {TableIn(20), Row(kTable, "b1", 20)});
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "c1")});
  EXPECT_EQ(Feed(Commit())->change_count, 1U);
  Stream(10, false, {Row(kTable, "a2", 11)});
  const auto second = Feed(StreamCommit(20));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->xid, pg::Xid{20});
  EXPECT_EQ(second->commit_lsn, pg::Lsn{1000});
  EXPECT_EQ(second->end_lsn, pg::Lsn{1001});
  EXPECT_EQ(second->commit_time, kTime);
  EXPECT_EQ(second->change_count, 1U);
  EXPECT_THAT(ChangeTexts(second.get()), ElementsAre(HasSubstr("b1")));
  const auto first = Feed(StreamCommit(10));
  EXPECT_EQ(first->change_count, 2U);
  EXPECT_THAT(ChangeTexts(first.get()), ElementsAre(HasSubstr("a1"), HasSubstr("a2")));
  EXPECT_EQ(assembler_->streamed_count(), 0U);
}

TEST_F(AssemblerTest, AnAbortedSubtransactionIsLeftOut) {
  Stream(10, true,
         {TableIn(10), Row(kTable, "top", 10), Row(kTable, "sub", 11), Row(kTable, "nested", 12),
          Row(kTable, "kept", 13)});
  // An inner subtransaction is reported on its own, ahead of the outer one.
  FeedAll({kWriter.StreamAbort(10, 12), kWriter.StreamAbort(10, 11)});
  Stream(10, false, {Row(kTable, "later", 14)});
  const auto transaction = Feed(StreamCommit(10));
  EXPECT_EQ(transaction->change_count, 3U);
  EXPECT_THAT(ChangeTexts(transaction.get()),
              ElementsAre(HasSubstr("top"), HasSubstr("kept"), HasSubstr("later")));
}

TEST_F(AssemblerTest, ARelationAnnouncedInAnAbortedSubtransactionStaysKnown) {
  Stream(10, true, {TableIn(11), Row(kTable, "gone", 11), Row(kTable, "kept", 10)});
  FeedAll({kWriter.StreamAbort(10, 11)});
  EXPECT_THAT(ChangeTexts(Feed(StreamCommit(10)).get()), ElementsAre(HasSubstr("kept")));
}

TEST_F(AssemblerTest, MessagesOfAnAbortedSubtransactionAreLeftOut) {
  Stream(10, true,
         {kWriter.In(11).Message({true, {5}, "gone", ""}),
          kWriter.In(10).Message({true, {5}, "kept", ""})});
  FeedAll({kWriter.StreamAbort(10, 11)});
  const auto transaction = Feed(StreamCommit(10));
  EXPECT_EQ(transaction->change_count, 0U);
  EXPECT_THAT(ChangeTexts(transaction.get()), ElementsAre(HasSubstr("kept")));
}

TEST_F(AssemblerTest, AStreamedTransactionThatRollsBackLeavesNothing) {
  Stream(10, true, {TableIn(10), Row(kTable, "1", 10)});
  EXPECT_EQ(logs_.open_count(), 1);
  FeedAll({kWriter.StreamAbort(10, 10)});
  EXPECT_EQ(logs_.open_count(), 0);
  EXPECT_EQ(assembler_->streamed_count(), 0U);
  // Nor is the relation known that it announced.
  FeedAll({Begin()});
  EXPECT_THAT(ErrorOf(Row(kTable, "1")), HasSubstr("no Relation message has described"));
}

TEST_F(AssemblerTest, TheAbortOfAnUnknownTransactionIsIgnoredEverywhere) {
  FeedAll({kWriter.StreamAbort(10, 10), kWriter.StreamAbort(10, 11)});
  Stream(20, true, {TableIn(20), Row(kTable, "1", 20)});
  FeedAll({kWriter.StreamAbort(10, 10), kWriter.StreamAbort(20, 21)});
  EXPECT_THAT(ChangeTexts(Feed(StreamCommit(20)).get()), ElementsAre(HasSubstr("'1'")));
  UseOptions({.protocol_version = 1});
  FeedAll({kWriter.StreamAbort(10, 10), Begin(), kWriter.StreamAbort(10, 11)});
  EXPECT_NE(Feed(Commit()), nullptr);
}

TEST_F(AssemblerTest, AStreamedTransactionKnowsOnlyTheRelationsItAnnouncedItself) {
  FeedAll({Begin(), kWriter.Relation(table_)});
  Feed(Commit());
  Stream(10, true, {Row(kTable, "1", 10)});
  const auto transaction = Feed(StreamCommit(10));
  EXPECT_THROW(ChangeTexts(transaction.get()), pg::ProtocolError);
}

TEST_F(AssemblerTest, RelationsOfAStreamedTransactionCountForOthersFromItsCommitOn) {
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1")});
  const auto before = Feed(Commit());
  Stream(10, true, {kWriter.In(10).Relation(WiderRelation(kTable, "t"))});
  FeedAll({Begin(), Row(kTable, "2")});
  Feed(Commit());
  const auto streamed = Feed(StreamCommit(10));
  FeedAll({Begin(), kWriter.Insert(kTable, {Text("3"), Null(), Null()})});
  const auto after = Feed(Commit());
  EXPECT_EQ(after->block.changes[0].relation->columns.size(), 3U);
}

TEST_F(AssemblerTest, AnOlderVersionFromAStreamDoesNotReplaceANewerOne) {
  // A rolled back savepoint gives the table's lock back: another transaction may change the table
  // before the streamed one commits.
  Stream(10, true, {TableIn(11), Row(kTable, "1", 11)});
  FeedAll({kWriter.StreamAbort(10, 11), Begin(), kWriter.Relation(WiderRelation(kTable, "t")),
           kWriter.Insert(kTable, {Text("2"), Null(), Null()})});
  Feed(Commit());
  Feed(StreamCommit(10));
  FeedAll({Begin(), kWriter.Insert(kTable, {Text("3"), Null(), Null()})});
  EXPECT_EQ(Feed(Commit())->change_count, 1U);
}

TEST_F(AssemblerTest, AllReadingsOfOneVersionShareOneObject) {
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1")});
  const auto plain = Feed(Commit());
  Stream(10, true, {TableIn(10), Row(kTable, "2", 10)});
  const auto streamed = Feed(StreamCommit(10));
  for (int pass = 0; pass < 2; ++pass) {
    ChangeBlock block;
    ASSERT_TRUE(streamed->source->Next(1, &block));
    EXPECT_EQ(block.changes[0].relation, plain->block.changes[0].relation);
    streamed->source->Rewind();
  }
}

TEST_F(AssemblerTest, TypesNameTheColumnsWithinAStreamToo) {
  table_.columns[1].type = {16400};
  Stream(10, true, {kWriter.In(10).Type(16400, "app", "mood"), TableIn(10), Row(kTable, "1", 10)});
  EXPECT_THAT(ChangeTexts(Feed(StreamCommit(10)).get()), ElementsAre(HasSubstr("note:mood")));
  FeedAll({Begin(), Row(kTable, "2")});
  EXPECT_THAT(ChangeTexts(Feed(Commit()).get()), ElementsAre(HasSubstr("note:mood")));
}

// The messages of a transaction that changes a table's shape on the way, for both ways of keeping.
std::vector<std::string> LongTransaction() {
  std::vector<std::string> messages;
  for (int i = 0; i < 500; ++i) {
    if (i == 200) {
      messages.push_back(kWriter.Relation(SampleRelation(kOther, "o")));
      messages.push_back(kWriter.Relation(WiderRelation(kTable, "t")));
    }
    tests::Row row = {Text(std::to_string(i)), Text(std::string(static_cast<size_t>(i), 'x'))};
    if (i >= 200) row.push_back(Null());
    messages.push_back(i % 3 == 0 ? kWriter.Update(kTable, {}, row) : kWriter.Insert(kTable, row));
    if (i % 50 == 0) messages.push_back(kWriter.Message({true, {5}, "p", "c"}));
    if (i % 50 == 0) messages.push_back(kWriter.Message({false, {5}, "dropped", "c"}));
    if (i >= 200) messages.push_back(kWriter.Delete(kOther, Key({Text("1"), Null()})));
  }
  return messages;
}

TEST_F(AssemblerTest, ASpooledTransactionGivesTheSameChangesAsOneInMemory) {
  std::vector<std::string> expected;
  for (const size_t limit : {size_t{1} << 30, size_t{0}, size_t{2'000}, size_t{20'000},
                             size_t{60'000}, size_t{200'000}}) {
    UseOptions({.protocol_version = 1, .memory_bytes_max = limit});
    lsn_ = 0;
    FeedAll({Begin(), kWriter.Relation(table_)});
    Feed(Commit());
    FeedAll({Begin()});
    FeedAll(LongTransaction());
    const auto transaction = Feed(Commit());
    EXPECT_EQ(transaction->change_count, 800U);
    EXPECT_EQ(transaction->source == nullptr, expected.empty());
    if (expected.empty()) {
      expected = ChangeTexts(transaction.get());
      ASSERT_EQ(expected.size(), 810U);
      continue;
    }
    EXPECT_EQ(transaction->block.changes.size(), 0U);
    for (const size_t bytes_max : {size_t{1}, size_t{3'000}, size_t{1} << 30}) {
      EXPECT_EQ(ChangeTexts(transaction.get(), bytes_max), expected) << limit;
      transaction->source->Rewind();
    }
    // A repeat from the middle begins at the first change.
    ChangeBlock block;
    ASSERT_TRUE(transaction->source->Next(10'000, &block));
    transaction->source->Rewind();
    EXPECT_EQ(ChangeTexts(transaction.get()), expected) << limit;
    EXPECT_FALSE(transaction->source->Next(1, &block));
    EXPECT_TRUE(block.changes.empty());
  }
}

TEST_F(AssemblerTest, BlocksOfASourceStayAboutAsSmallAsAsked) {
  UseOptions({.protocol_version = 1, .memory_bytes_max = 0});
  FeedAll({Begin(), kWriter.Relation(table_)});
  for (int i = 0; i < 1000; ++i)
    FeedAll({kWriter.Insert(kTable, {Text("1"), Text(std::string(100, 'x'))})});
  const auto transaction = Feed(Commit());
  ChangeBlock block;
  int blocks = 0;
  while (transaction->source->Next(20'000, &block)) {
    EXPECT_LE(block.memory_bytes(), 80'000U);
    ++blocks;
  }
  EXPECT_GT(blocks, 3);
}

TEST_F(AssemblerTest, ALogLivesAsLongAsItsTransaction) {
  UseOptions({.protocol_version = 2, .memory_bytes_max = 0});
  FeedAll({Begin(), kWriter.Relation(table_), Row(kTable, "1")});
  auto transaction = Feed(Commit());
  EXPECT_EQ(logs_.open_count(), 1);
  transaction.reset();
  EXPECT_EQ(logs_.open_count(), 0);
  EXPECT_EQ(logs_.opened_count(), 1);
}

TEST_F(AssemblerTest, TheTransactionAfterASpooledOneIsInMemoryAgain) {
  UseOptions({.protocol_version = 1, .memory_bytes_max = 10'000});
  FeedAll({Begin(), kWriter.Relation(table_)});
  FeedAll({kWriter.Insert(kTable, {Text("1"), Text(std::string(20'000, 'x'))})});
  EXPECT_NE(Feed(Commit())->source, nullptr);
  FeedAll({Begin(), Row(kTable, "2")});
  EXPECT_EQ(Feed(Commit())->source, nullptr);
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
