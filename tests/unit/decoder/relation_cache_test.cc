#include "decoder/relation_cache.h"

#include <gtest/gtest.h>

#include "tests/unit/decoder/sample_relations.h"

namespace pgteal::decoder {
namespace {

using tests::SampleRelation;
using tests::WiderRelation;

constexpr pg::Oid kTable{16385};
constexpr pg::Oid kOther{16390};

TEST(RelationCache, KnowsNothingThatWasNotAnnounced) {
  RelationCache cache;
  ChangeBlock block;
  EXPECT_EQ(cache.Use(kTable, &block), nullptr);
  EXPECT_EQ(cache.Use({0}, &block), nullptr);
  cache.Apply(SampleRelation(kTable.value, "t"), 1);
  EXPECT_NE(cache.Use(kTable, &block), nullptr);
  EXPECT_EQ(cache.Use(kOther, &block), nullptr);
}

TEST(RelationCache, AnEqualVersionStaysTheSameObject) {
  RelationCache cache;
  cache.Apply(SampleRelation(kTable.value, "t"), 1);
  const auto first = cache.Find(kTable);
  EXPECT_EQ(cache.Apply(SampleRelation(kTable.value, "t"), 2), nullptr);
  EXPECT_EQ(cache.Find(kTable), first);
}

TEST(RelationCache, AnotherVersionReplacesTheOldOneWhichCanBeRestored) {
  RelationCache cache;
  EXPECT_EQ(cache.Apply(SampleRelation(kTable.value, "t"), 1), nullptr);
  const auto first = cache.Find(kTable);
  const auto replaced = cache.Apply(WiderRelation(kTable.value, "t"), 2);
  EXPECT_EQ(replaced, first);
  EXPECT_EQ(cache.Find(kTable)->columns.size(), 3U);
  cache.Restore(replaced);
  EXPECT_EQ(cache.Find(kTable), first);
}

TEST(RelationCache, ABlockHoldsEachVersionItUsesOnce) {
  RelationCache cache;
  cache.Apply(SampleRelation(kTable.value, "t"), 1);
  cache.Apply(SampleRelation(kOther.value, "o"), 2);
  ChangeBlock block;
  for (int i = 0; i < 3; ++i) {
    cache.Use(kTable, &block);
    cache.Use(kOther, &block);
    cache.Use(kOther, &block);
  }
  EXPECT_EQ(block.relations.size(), 2U);
  cache.Apply(WiderRelation(kTable.value, "t"), 3);
  cache.Use(kTable, &block);
  EXPECT_EQ(block.relations.size(), 3U);
  // A block that was moved away and begun anew holds nothing yet.
  const ChangeBlock moved = std::move(block);
  block = ChangeBlock();
  cache.Use(kOther, &block);
  cache.Use(kTable, &block);
  EXPECT_EQ(block.relations.size(), 2U);
  EXPECT_EQ(moved.relations.size(), 3U);
}

TEST(RelationCache, NamesTheTypesOfLaterRelations) {
  RelationCache cache;
  Relation relation = SampleRelation(kTable.value, "t");
  relation.columns[1].type = {16400};
  cache.Apply(TypeMessage{.xid = {}, .oid = {16400}, .schema = "app", .name = "mood"});
  cache.Apply(relation, 1);
  EXPECT_EQ(cache.Find(kTable)->columns[1].type_schema, "app");
  EXPECT_EQ(cache.Find(kTable)->columns[1].type_name, "mood");
  EXPECT_EQ(cache.Find(kTable)->columns[0].type_name, "");
  cache.Apply(TypeMessage{.xid = {}, .oid = {16400}, .schema = "app", .name = "renamed"});
  EXPECT_EQ(cache.Find(kTable)->columns[1].type_name, "mood");
  EXPECT_NE(cache.Apply(relation, 2), nullptr);
  EXPECT_EQ(cache.Find(kTable)->columns[1].type_name, "renamed");
}

TEST(RelationCache, UnannouncedKnowsARelationOnlyWhenItComesAgain) {
  RelationCache cache;
  cache.Apply(SampleRelation(kTable.value, "t"), 1);
  RelationCache copy = cache.Unannounced();
  ChangeBlock block;
  EXPECT_EQ(copy.Find(kTable), nullptr);
  EXPECT_EQ(copy.Use(kTable, &block), nullptr);
  EXPECT_EQ(copy.Apply(SampleRelation(kTable.value, "t"), 2), nullptr);
  EXPECT_EQ(copy.Find(kTable), cache.Find(kTable)) << "one version is one object";
}

TEST(RelationCache, MergingTakesOverWhatWasAnnouncedLater) {
  RelationCache live;
  live.Apply(SampleRelation(kTable.value, "t"), 1);
  live.Apply(SampleRelation(kOther.value, "o"), 2);
  RelationCache streamed = live.Unannounced();
  streamed.Apply(WiderRelation(kTable.value, "t"), 3);
  streamed.Apply(SampleRelation(kOther.value, "o"), 4);
  live.Apply(WiderRelation(kOther.value, "o"), 5);
  const auto newest = live.Find(kOther);
  live.MergeFrom(streamed);
  EXPECT_EQ(live.Find(kTable), streamed.Find(kTable));
  EXPECT_EQ(live.Find(kOther), newest);
}

}  // namespace
}  // namespace pgteal::decoder
