#include "pipeline/post_data.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

DumpItem Item(const std::string& type, const std::string& name, const std::string& sql) {
  return {.name = name, .type = type, .schema = "public", .settings = "", .sql = sql};
}

SourceIndex Index(const std::string& name, const std::string& table, uint64_t bytes) {
  SourceIndex index;
  index.schema = "public";
  index.name = name;
  index.table = table;
  index.table_bytes = bytes;
  index.is_btree = true;
  index.definition = "CREATE UNIQUE INDEX " + name;
  return index;
}

TEST(PostData, LargeTablesComeFirstAndKeysTakeTheirIndexOver) {
  auto key = Index("big_pkey", "big", 100);
  key.constraint = "big_pkey";
  key.constraint_kind = 'p';
  key.constraint_attributes = " DEFERRABLE";
  const auto plan = PlanPostData(
      {Item("INDEX", "small_i", "CREATE INDEX small_i;\n"),
       Item("CONSTRAINT", "big big_pkey",
            "ALTER TABLE ONLY public.big\n    ADD CONSTRAINT big_pkey PRIMARY KEY (id);\n\n"
            "ALTER TABLE public.big CLUSTER ON big_pkey;\n")},
      {Index("small_i", "small", 1), key}, "pgteal");
  ASSERT_EQ(plan.builds.size(), 2U);
  EXPECT_EQ(plan.builds[0].sql, "CREATE UNIQUE INDEX big_pkey");
  EXPECT_EQ(plan.builds[1].sql, "CREATE INDEX small_i;\n");
  ASSERT_EQ(plan.attachments.size(), 1U);
  EXPECT_EQ(
      plan.attachments[0].sql,
      "ALTER TABLE ONLY \"public\".\"big\" ADD CONSTRAINT \"big_pkey\" PRIMARY KEY USING INDEX "
      "\"big_pkey\" DEFERRABLE;\n\nALTER TABLE public.big CLUSTER ON big_pkey;\n");
}

TEST(PostData, KeysWithoutOverlapsAreAddedWhole) {
  auto key = Index("rooms_pkey", "rooms", 100);
  key.constraint = "rooms_pkey";
  key.constraint_kind = 'p';
  key.is_btree = false;
  const std::string sql =
      "ALTER TABLE ONLY public.rooms\n"
      "    ADD CONSTRAINT rooms_pkey PRIMARY KEY (id, during WITHOUT OVERLAPS);\n";
  const auto plan = PlanPostData({Item("CONSTRAINT", "rooms rooms_pkey", sql)}, {key}, "pgteal");
  EXPECT_TRUE(plan.builds.empty());
  EXPECT_TRUE(plan.attachments.empty());
  ASSERT_EQ(plan.constraints.size(), 1U);
  EXPECT_EQ(plan.constraints[0].sql, sql);
}

TEST(PostData, WhatCostsMostIsBuiltFirstAndKnowsItsTable) {
  auto narrow = Index("narrow_i", "wide", 800);
  narrow.bytes = 10;
  auto wide = Index("wide_i", "narrow", 80);
  wide.bytes = 300;
  const auto plan = PlanPostData({Item("INDEX", "narrow_i", "CREATE INDEX narrow_i;\n"),
                                  Item("INDEX", "wide_i", "CREATE INDEX wide_i;\n")},
                                 {narrow, wide}, "pgteal");
  ASSERT_EQ(plan.builds.size(), 2U);
  EXPECT_EQ(plan.builds[0].what, "INDEX wide_i");
  EXPECT_EQ(plan.builds[0].table, TableKey("public", "narrow"));
}

// Of 800,000 rows a GIN index of 5 MB took 0.6 s, a key of 18 MB 0.4 s, a text of 47 MB 2.1 s.
TEST(PostData, AnIndexOfManyKeysPerRowCostsMoreThanItsSizeTells) {
  auto text = Index("text_i", "t", 468);
  text.bytes = 47;
  auto key = Index("key_i", "t", 468);
  key.bytes = 18;
  auto words = Index("words_i", "t", 468);
  words.bytes = 5;
  words.has_key_per_row = false;
  const auto plan = PlanPostData(
      {Item("INDEX", "key_i", "1;\n"), Item("INDEX", "words_i", "2;\n"),
       Item("INDEX", "text_i", "3;\n")},
      {key, words, text}, "pgteal");
  ASSERT_EQ(plan.builds.size(), 3U);
  EXPECT_EQ(plan.builds[0].what, "INDEX text_i");
  EXPECT_EQ(plan.builds[1].what, "INDEX words_i");
  EXPECT_EQ(plan.builds[2].what, "INDEX key_i");
}

TEST(PostData, ForeignKeysAreAddedFirstAndCheckedLater) {
  const auto plan = PlanPostData(
      {Item("FK CONSTRAINT", "a f",
            "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES "
            "public.b(id);\n"),
       Item("FK CONSTRAINT", "a g",
            "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT g FOREIGN KEY (b) REFERENCES "
            "public.b(id) NOT VALID;\n"),
       Item("FK CONSTRAINT", "a i",
            "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT i FOREIGN KEY (b) REFERENCES "
            "public.b(id) NOT ENFORCED;\n"),
       Item("FK CONSTRAINT", "p h",
            "ALTER TABLE public.p\n    ADD CONSTRAINT h FOREIGN KEY (b) REFERENCES "
            "public.b(id);\n")},
      {}, "pgteal");
  ASSERT_EQ(plan.constraints.size(), 4U);
  EXPECT_EQ(plan.constraints[0].sql,
            "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES "
            "public.b(id) NOT VALID;\n");
  EXPECT_EQ(plan.constraints[2].sql.find("NOT VALID"), std::string::npos);
  EXPECT_EQ(plan.constraints[3].sql.find("NOT VALID"), std::string::npos);
  ASSERT_EQ(plan.validations.size(), 1U) << "only what is checked on blue and can be added so";
  EXPECT_EQ(plan.validations[0].sql, "ALTER TABLE ONLY public.a VALIDATE CONSTRAINT f");
}

TEST(PostData, OurPublicationStaysOnBlueAndEventTriggersComeLast) {
  const auto plan = PlanPostData(
      {Item("EVENT TRIGGER", "e", "CREATE EVENT TRIGGER e;\n"),
       Item("PUBLICATION", "pgteal", "CREATE PUBLICATION pgteal;\n"),
       Item("PUBLICATION TABLE", "pgteal t", "ALTER PUBLICATION pgteal ADD TABLE t;\n"),
       Item("COMMENT", "PUBLICATION pgteal", "COMMENT ON PUBLICATION pgteal IS 'x';\n"),
       Item("PUBLICATION", "other", "CREATE PUBLICATION other;\n")},
      {}, "pgteal");
  ASSERT_EQ(plan.rest.size(), 2U);
  EXPECT_EQ(plan.rest[0].what, "PUBLICATION other");
  EXPECT_EQ(plan.rest[1].what, "EVENT TRIGGER e");
}

}  // namespace
}  // namespace pgteal::pipeline
