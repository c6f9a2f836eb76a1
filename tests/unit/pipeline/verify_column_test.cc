#include "pipeline/verify_column.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

CatalogColumn Column(uint32_t type, const std::string& printed, char category = 'U') {
  CatalogColumn column;
  column.name = "c";
  column.base_type = type;
  column.type = printed;
  column.category = category;
  return column;
}

const CatalogColumn kInt = Column(23, "integer", 'N');
const CatalogColumn kBig = Column(20, "bigint", 'N');
const CatalogColumn kText = Column(25, "text", 'S');

TEST(VerifyColumn, WhatPrintsAlikeNeedsNoCast) {
  const auto column = MatchColumn(kInt, kBig);
  EXPECT_EQ(column.text, ColumnText::kPlain);
  EXPECT_EQ(column.hash, KeyHash::kInteger);
  EXPECT_EQ(column.Sql(Side::kBlue), "\"c\"");
  EXPECT_EQ(MatchColumn(Column(1043, "character varying(5)"), kText).text, ColumnText::kMeasured);
}

TEST(VerifyColumn, WidenedNumbersAndDatesAreCastOnBlueOnly) {
  struct Case {
    CatalogColumn blue;
    CatalogColumn green;
    const char* sql;
  };
  const Case cases[] = {
      {kInt, Column(1700, "numeric(10,2)"), "\"c\"::numeric(10,2)"},
      {Column(1700, "numeric(8,2)"), Column(1700, "numeric(12,4)"), "\"c\"::numeric(12,4)"},
      // Narrowed: what is lost is a difference.
      {Column(1700, "numeric(12,4)"), Column(1700, "numeric(8,2)"), "\"c\""},
      {Column(1700, "numeric"), Column(1700, "numeric(8,2)"), "\"c\""},
      {Column(1700, "numeric(8,2)"), Column(1700, "numeric"), "\"c\""},
      {Column(1114, "timestamp without time zone"), Column(1082, "date"), "\"c\""},
      {Column(1082, "date"), Column(1114, "timestamp without time zone"),
       "\"c\"::timestamp without time zone"},
  };
  for (const auto& c : cases) {
    const auto column = MatchColumn(c.blue, c.green);
    EXPECT_EQ(column.Sql(Side::kBlue), c.sql);
    EXPECT_EQ(column.Sql(Side::kGreen), "\"c\"");
  }
}

TEST(VerifyColumn, AnUnknownOrMixedTypeIsPrintedAsARecord) {
  EXPECT_EQ(MatchColumn(kInt, kText).text, ColumnText::kRecord);
  EXPECT_EQ(MatchColumn(Column(99999, "hstore"), Column(88888, "hstore")).text,
            ColumnText::kRecord);
  EXPECT_EQ(MatchColumn(Column(142, "xml"), Column(142, "xml")).text, ColumnText::kRecord);
  EXPECT_EQ(MatchColumn(Column(1007, "integer[]", 'A'), Column(1007, "integer[]", 'A')).text,
            ColumnText::kPlain);
}

}  // namespace
}  // namespace pgteal::pipeline
