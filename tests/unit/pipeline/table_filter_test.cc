#include "pipeline/table_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

struct Case {
  const char* name;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  const char* schema;
  const char* table;
  bool matches;
};

TEST(TableFilter, PatternsChooseTables) {
  const Case cases[] = {
      {"nothing said: everything", {}, {}, "public", "t", true},
      {"a name in any schema", {"t"}, {}, "other", "t", true},
      {"another name", {"t"}, {}, "public", "tt", false},
      {"a name in its schema", {"public.t"}, {}, "public", "t", true},
      {"a name in another schema", {"public.t"}, {}, "other", "t", false},
      {"a star for any characters", {"public.log_*"}, {}, "public", "log_2024", true},
      {"a star for no characters", {"public.log_*"}, {}, "public", "log_", true},
      {"a star for a whole schema", {"app.*"}, {}, "app", "x", true},
      {"a star for the schema", {"*.t"}, {}, "app", "t", true},
      {"stars in between", {"*a*b*c"}, {}, "s", "xxaxxbxxbxxc", true},
      {"stars that find no end", {"*a*b*c"}, {}, "s", "xxaxxbxxbxxcx", false},
      {"a question mark for one", {"t?"}, {}, "s", "t1", true},
      {"a question mark for none", {"t?"}, {}, "s", "t", false},
      {"case matters", {"T"}, {}, "s", "t", false},
      {"one of several", {"a", "b"}, {}, "s", "b", true},
      {"exclusion alone", {}, {"t"}, "s", "t", false},
      {"exclusion of others", {}, {"t"}, "s", "u", true},
      {"exclusion wins", {"s.*"}, {"s.t"}, "s", "t", false},
      {"an empty pattern names nothing", {""}, {}, "s", "t", false},
      {"only the first dot separates", {"s.a.b"}, {}, "s", "a.b", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(TableFilter(c.include, c.exclude).Matches(c.schema, c.table), c.matches) << c.name;
  }
}

TEST(TableFilter, APatternThatNamesNothingIsRefused) {
  const std::vector<pg::TableName> tables = {{.schema = "shop", .name = "orders"}};
  EXPECT_NO_THROW(RequireMatches("--include-table", {}, {}, "table"));
  EXPECT_NO_THROW(RequireMatches("--include-table", {"shop.*", "orders"}, tables, "table"));
  try {
    RequireMatches("--include-table", {"orders", "shop.ordres"}, tables, "table of blue");
    FAIL();
  } catch (const pg::ConfigError& error) {
    EXPECT_STREQ(error.what(), "--include-table shop.ordres matches no table of blue");
  }
}

TEST(TableFilter, ManyStarsTakeNoLongerThanTheirText) {
  const std::string text(50'000, 'a');
  EXPECT_FALSE(TableFilter({"*a*a*a*a*a*a*a*a*b"}, {}).Matches("s", text));
}

}  // namespace
}  // namespace pgteal::pipeline
