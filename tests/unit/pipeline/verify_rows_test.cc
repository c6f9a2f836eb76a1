#include "pipeline/verify_rows.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

VerifyTable Keyed() {
  VerifyTable table;
  table.columns.resize(2);
  table.columns[0].name = "id";
  table.columns[1].name = "v";
  table.key = {0};
  return table;
}

VerifyRow Row(const std::string& key, uint64_t v) {
  return {.key = {key},
          .hash = std::hash<std::string>()(key) + v,
          .column_hashes = {0, v},
          .place = {}};
}

VerifyRow KeylessRow(uint64_t hash) {
  return {.key = {}, .hash = hash, .column_hashes = {hash}, .place = {}};
}

TEST(VerifyRows, AKeyTellsMissingExtraAndDifferentApart) {
  const auto found = CompareRows(Keyed(), {Row("b", 1), Row("a", 1), Row("c", 1)},
                                 {Row("d", 1), Row("c", 2), Row("a", 1)});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].kind, DifferenceKind::kMissing);
  EXPECT_EQ(found[0].key, RowKey{"b"});
  EXPECT_TRUE(found[0].blue);
  EXPECT_FALSE(found[0].green);
  EXPECT_EQ(found[1].kind, DifferenceKind::kDifferent);
  EXPECT_EQ(found[1].columns, std::vector<std::string>{"v"});
  EXPECT_EQ(found[2].kind, DifferenceKind::kExtra);
  EXPECT_EQ(found[2].key, RowKey{"d"});
}

TEST(VerifyRows, WithoutAKeyEqualRowsCancelEachOtherOneByOne) {
  VerifyTable table;
  table.columns.resize(1);
  const auto found = CompareRows(table, {KeylessRow(1), KeylessRow(1), KeylessRow(2)},
                                 {KeylessRow(2), KeylessRow(1), KeylessRow(3), KeylessRow(3)});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].kind, DifferenceKind::kMissing);
  EXPECT_EQ(found[1].kind, DifferenceKind::kExtra);
  EXPECT_EQ(found[2].kind, DifferenceKind::kExtra);
}

TEST(VerifyRows, EqualBagsHaveNoDifferences) {
  EXPECT_TRUE(CompareRows(Keyed(), {}, {}).empty());
  EXPECT_TRUE(CompareRows(Keyed(), {Row("a", 1), Row("b", 1)}, {Row("b", 1), Row("a", 1)}).empty());
}

}  // namespace
}  // namespace pgteal::pipeline
