#include "applier/row_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using tests::BinaryCell;
using tests::ChangeMaker;
using tests::kNull;
using tests::MakeTarget;

class RowKeyTest : public testing::Test {
 protected:
  std::shared_ptr<TargetRelation> target_ = MakeTarget(1, "t", {{"a", true}, {"x"}, {"b", true}});
  ChangeMaker maker_;
};

TEST_F(RowKeyTest, LooksAtKeyColumnsAlone) {
  const auto one = maker_.Row({"1", "first", "2"});
  const auto two = maker_.Row({"1", kNull, "2"});
  EXPECT_TRUE(SameKey(*target_, one.values, two.values));
  EXPECT_EQ(HashKey(*target_, one.values), HashKey(*target_, two.values));
}

TEST_F(RowKeyTest, ValuesDoNotRunIntoEachOther) {
  const auto one = maker_.Row({"12", "", "3"});
  const auto two = maker_.Row({"1", "", "23"});
  EXPECT_FALSE(SameKey(*target_, one.values, two.values));
  EXPECT_NE(HashKey(*target_, one.values), HashKey(*target_, two.values));
}

TEST_F(RowKeyTest, TextAndBinaryAreNotTheSame) {
  const auto one = maker_.Row({"1", "", "2"});
  const auto two = maker_.Row({BinaryCell("1"), "", "2"});
  EXPECT_FALSE(SameKey(*target_, one.values, two.values));
  EXPECT_NE(HashKey(*target_, one.values), HashKey(*target_, two.values));
}

TEST_F(RowKeyTest, NullIsNotEmpty) {
  const auto one = maker_.Row({"", "", "2"});
  const auto two = maker_.Row({kNull, "", "2"});
  EXPECT_FALSE(SameKey(*target_, one.values, two.values));
}

TEST_F(RowKeyTest, TheSameKeyInAnotherTableHashesOtherwise) {
  const auto other = MakeTarget(2, "other", {{"a", true}, {"x"}, {"b", true}});
  const auto row = maker_.Row({"1", "", "2"});
  EXPECT_NE(HashKey(*target_, row.values), HashKey(*other, row.values));
}

TEST_F(RowKeyTest, HashesAreSpreadAndNeverZero) {
  std::set<uint64_t> hashes;
  for (int i = 0; i < 10'000; ++i) {
    hashes.insert(HashKey(*target_, maker_.Row({std::to_string(i), "", "2"}).values));
  }
  EXPECT_EQ(hashes.size(), 10'000U);
  EXPECT_EQ(hashes.count(0), 0U);
}

}  // namespace
}  // namespace pgteal::applier
