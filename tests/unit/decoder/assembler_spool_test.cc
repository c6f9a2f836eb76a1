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

using tests::AssemblerTest;
using tests::ChangeTexts;
using tests::Key;
using tests::kOther;
using tests::kTable;
using tests::kWriter;
using tests::Null;
using tests::SampleRelation;
using tests::Text;
using tests::WiderRelation;

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

}  // namespace
}  // namespace pgteal::decoder
