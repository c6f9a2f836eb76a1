#include "applier/row_order.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using tests::BinaryCell;
using tests::Cells;
using tests::ChangeMaker;
using tests::kNull;
using tests::MakeTarget;

constexpr pg::Oid kInt8{20};
constexpr pg::Oid kInt4{23};
constexpr pg::Oid kUuid{2950};

// An integer as blue sends it in binary.
std::string Bytes(int64_t value, int width) {
  std::string bytes;
  for (int i = width - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

class RowOrderTest : public testing::Test {
 protected:
  // Both columns are the key's.
  void SetTypes(pg::Oid first, pg::Oid second) {
    auto source = std::make_shared<decoder::Relation>(*target_->source);
    source->columns[0].type = first;
    source->columns[1].type = second;
    target_->source = std::move(source);
  }
  void Add(const Cells& cells) {
    RowEffect row;
    row.key = maker_.Row(cells).values;
    effects_.push_back(row);
  }
  // Which row comes where, by the order in which they were added.
  std::vector<size_t> Order() {
    std::vector<const RowEffect*> rows;
    for (const auto& effect : effects_) rows.push_back(&effect);
    OrderByKey(*target_, &rows);
    std::vector<size_t> order;
    for (const auto* row : rows) order.push_back(static_cast<size_t>(row - effects_.data()));
    return order;
  }

  std::shared_ptr<TargetRelation> target_ = MakeTarget(1, "t", {{"a", true}, {"b", true}});
  ChangeMaker maker_;
  std::vector<RowEffect> effects_;
};

using Expected = std::vector<size_t>;

TEST_F(RowOrderTest, BinaryIntegersByValue) {
  SetTypes(kInt4, kInt8);
  Add({BinaryCell(Bytes(300, 4)), BinaryCell(Bytes(0, 8))});
  Add({BinaryCell(Bytes(-2, 4)), BinaryCell(Bytes(0, 8))});
  Add({BinaryCell(Bytes(7, 4)), BinaryCell(Bytes(1, 8))});
  Add({BinaryCell(Bytes(7, 4)), BinaryCell(Bytes(-1, 8))});
  EXPECT_EQ(Order(), (Expected{1, 3, 2, 0}));
}

TEST_F(RowOrderTest, IntegersInTextByValue) {
  SetTypes(kInt4, kInt8);
  Add({"10", "0"});
  Add({"9", "0"});
  Add({"-9", "0"});
  Add({"-10", "9223372036854775807"});
  EXPECT_EQ(Order(), (Expected{3, 2, 1, 0}));
}

TEST_F(RowOrderTest, SixteenBytesOfWhatIsNoInteger) {
  SetTypes(kUuid, kInt4);
  Add({BinaryCell("0123456789abcdeg"), BinaryCell(Bytes(1, 4))});
  Add({BinaryCell("0123456789abcdef"), BinaryCell(Bytes(2, 4))});
  Add({BinaryCell("01234567"), BinaryCell(Bytes(3, 4))});
  EXPECT_EQ(Order(), (Expected{2, 1, 0}));
}

TEST_F(RowOrderTest, TheSecondColumnDecidesWhereTheFirstIsTheSame) {
  Add({"x", "b"});
  Add({"x", "a"});
  Add({"w", "c"});
  EXPECT_EQ(Order(), (Expected{2, 1, 0}));
}

TEST_F(RowOrderTest, WhatLooksTheSameStaysInOrder) {
  const std::string same(16, 'k');
  Add({same + "2", ""});
  Add({same + "1", ""});
  Add({"", kNull});
  Add({"", ""});
  EXPECT_EQ(Order(), (Expected{2, 3, 0, 1}));
}

TEST_F(RowOrderTest, WithoutAKeyNothingIsMoved) {
  target_->key.clear();
  Add({"b", ""});
  Add({"a", ""});
  EXPECT_EQ(Order(), (Expected{0, 1}));
}

TEST_F(RowOrderTest, EveryRowIsKept) {
  SetTypes(kInt8, kInt8);
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    Add({BinaryCell(Bytes(static_cast<int64_t>(random() % 100), 8)), BinaryCell(Bytes(i, 8))});
  }
  auto order = Order();
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i);
}

}  // namespace
}  // namespace pgteal::applier
