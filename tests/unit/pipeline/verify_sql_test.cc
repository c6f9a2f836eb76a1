#include "pipeline/verify_sql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

using testing::HasSubstr;

VerifyTable Table() {
  VerifyTable table;
  table.columns.resize(2);
  table.columns[0] = {.name = "id", .text = ColumnText::kPlain, .hash = KeyHash::kInteger};
  table.columns[1] = {.name = "no\"te", .text = ColumnText::kMeasured};
  table.key = {0};
  return table;
}

const VerifyUnit kUnit = {.qualified = "public.t", .is_plain = true, .filenodes = {{5, 7}}};

// NULL is skipped by concat_ws(), hence the bits.
constexpr const char* kRowHash =
    "hashtextextended((concat_ws(E'\\x01', \"id\", octet_length(\"no\"\"te\"), \"no\"\"te\", "
    "((\"id\" IS NULL)::int << 0) | ((\"no\"\"te\" IS NULL)::int << 1))) COLLATE \"C\", 0)";

TEST(VerifySql, ARowIsTheHashOfItsTextAndABucketOfItsKey) {
  const auto table = Table();
  const VerifySql sql(table, Side::kBlue, TextHash::kNative, 16);
  EXPECT_EQ(sql.Buckets(kUnit, std::nullopt),
            std::string("SELECT k & 15, count(*), sum(h) FROM (SELECT ") + kRowHash +
                " AS h, coalesce(hashint8extended(\"id\"::int8, 0), 0) AS k FROM ONLY public.t "
                "WHERE true OFFSET"
                " 0) AS rows GROUP BY 1");
}

TEST(VerifySql, TheTotalIsOneBucket) {
  const auto table = Table();
  const VerifySql sql(table, Side::kBlue, TextHash::kNative, 16);
  EXPECT_EQ(sql.Total(kUnit, std::nullopt), std::string("SELECT 0, count(*), coalesce(sum(") +
                                                kRowHash + "), 0) FROM ONLY public.t WHERE true");
}

TEST(VerifySql, PagesRowFiltersAndBucketsAreConditions) {
  auto table = Table();
  table.row_filter = "(id > 5) OR true";
  const VerifySql sql(table, Side::kGreen, TextHash::kNative, 16);
  EXPECT_THAT(sql.Rows(kUnit, PageRange{.begin = 3, .end = 9}, {1, 4}),
              testing::AllOf(HasSubstr("WHERE ((id > 5) OR true) AND ctid >= '(3,0)'::tid"),
                             HasSubstr("ctid < '(9,0)'::tid"), HasSubstr("& 15 = ANY ('{1,4}')")));
}

TEST(VerifySql, WideTablesAndTablesWithoutColumnsHaveATextToo) {
  VerifyTable wide;
  for (int i = 0; i < 100; ++i) {
    wide.columns.push_back({.name = "c" + std::to_string(i), .text = ColumnText::kPlain});
  }
  const VerifySql sql(wide, Side::kBlue, TextHash::kMd5, 16);
  EXPECT_THAT(sql.Buckets(kUnit, std::nullopt), HasSubstr(") || E'\\x01' || concat_ws("));
  const VerifyTable none;
  const VerifySql empty(none, Side::kBlue, TextHash::kNative, 16);
  EXPECT_THAT(empty.Buckets(kUnit, std::nullopt), HasSubstr("hashtextextended(('') COLLATE"));
}

TEST(VerifySql, ALockComesWithTheProofThatTheSnapshotStillShowsTheTable) {
  EXPECT_THAT(LockUnitSql(kUnit),
              testing::AllOf(HasSubstr("LOCK TABLE ONLY public.t IN ACCESS SHARE MODE"),
                             HasSubstr("unnest('{5}'::oid[], '{7}'::oid[])")));
}

}  // namespace
}  // namespace pgteal::pipeline
