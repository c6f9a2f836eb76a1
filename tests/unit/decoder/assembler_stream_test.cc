#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "decoder/assembler.h"
#include "pg/error.h"
#include "tests/support/change_text.h"
#include "tests/unit/decoder/assembler_fixture.h"

namespace pgteal::decoder {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tests::AssemblerTest;
using tests::ChangeTexts;
using tests::kTable;
using tests::kTime;
using tests::kWriter;
using tests::Null;
using tests::Text;
using tests::WiderRelation;

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

TEST_F(AssemblerTest, AChangeOfASubtransactionThatWasRolledBackIsRefused) {
  Stream(10, true, {TableIn(10), Row(kTable, "1", 11)});
  FeedAll({kWriter.StreamAbort(10, 11), kWriter.StreamStart(10, false)});
  EXPECT_THAT(ErrorOf(Row(kTable, "2", 11)), HasSubstr("subtransaction 11"));
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

}  // namespace
}  // namespace pgteal::decoder
