#include "pipeline/schema_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pgteal::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Widening, KnowsWhichTypesTakeEveryValue) {
  struct Case {
    const char* from;
    const char* to;
    bool is_wider;
  };
  for (const auto& c : {
           Case{"integer", "bigint", true},
           Case{"bigint", "integer", false},
           Case{"smallint", "integer", true},
           Case{"integer", "double precision", true},
           Case{"bigint", "double precision", false},
           Case{"integer", "numeric", true},
           Case{"integer", "numeric(10,0)", false},
           Case{"character varying(10)", "text", true},
           Case{"character varying(10)", "character varying(20)", true},
           Case{"character varying(20)", "character varying(10)", false},
           Case{"character varying(10)", "character varying", true},
           Case{"text", "character varying", true},
           Case{"text", "character varying(9)", false},
           Case{"character(5)", "text", false},
           Case{"numeric(10,2)", "numeric(12,2)", true},
           Case{"numeric(10,2)", "numeric(12,4)", true},
           Case{"numeric(10,2)", "numeric(11,4)", false},
           Case{"numeric(10,2)", "numeric(12,1)", false},
           Case{"numeric(10,2)", "numeric", true},
           Case{"timestamp(3) without time zone", "timestamp(6) without time zone", true},
           Case{"timestamp without time zone", "timestamp with time zone", false},
           Case{"json", "jsonb", false},
       }) {
    EXPECT_EQ(IsWidening(c.from, c.to), c.is_wider) << c.from << " -> " << c.to;
  }
}

TEST(SameQuery, LooksPastBlanksAndTableNames) {
  EXPECT_TRUE(IsSameQuery(" SELECT plain.id,\n    upper(plain.note) AS n\n   FROM public.plain",
                          " SELECT id,\n    upper(note) AS n\n   FROM public.plain"));
  EXPECT_TRUE(IsSameQuery("SELECT \"My T\".\"a b\" FROM x", "SELECT \"a b\" FROM x"));
  EXPECT_FALSE(IsSameQuery("SELECT plain.id FROM plain", "SELECT plain.ids FROM plain"));
  EXPECT_FALSE(IsSameQuery("SELECT 1.5", "SELECT 2.5"));
  EXPECT_FALSE(IsSameQuery("SELECT a FROM t WHERE a > 1", "SELECT a FROM t WHERE a > 2"));
}

Schema One(const std::string& kind, const std::string& name, SchemaObject object) {
  Schema schema;
  schema[kind][name] = std::move(object);
  return schema;
}

SchemaObject Object(const std::string& definition, const std::string& detail = "",
                    const std::string& parent = "") {
  return {.definition = definition,
          .detail = detail,
          .create_sql = "CREATE",
          .change_sql = "CHANGE",
          .parent = parent};
}

TEST(SchemaDiff, NamesEveryDifferenceOnceWithTheSqlForGreen) {
  EXPECT_THAT(CompareSchemas(One("table", "t", Object("x")), One("table", "t", Object("x"))),
              IsEmpty());
  const auto missing = CompareSchemas(One("index", "i", Object("x")), {});
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_EQ(missing[0].what, Difference::kMissing);
  EXPECT_EQ(missing[0].fix, "CREATE");
  EXPECT_EQ(missing[0].Describe(), "index i is missing on green");
  const auto changed =
      CompareSchemas(One("index", "i", Object("x")), One("index", "i", Object("y")));
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0].what, Difference::kDifferent);
  EXPECT_EQ(changed[0].fix, "CHANGE");
  EXPECT_EQ(changed[0].Describe(), "index i: x on blue, y on green");
}

TEST(SchemaDiff, AFixThatNamesTheSidesFollowsThem) {
  const auto turned = applier::SideNamesAt(1);
  SchemaDifference difference;
  difference.fix =
      "-- pg_dump --schema-only --table='public.\"blue | psql green\"' blue | psql green";
  EXPECT_EQ(difference.FixFor({}), difference.fix);
  EXPECT_EQ(difference.FixFor(turned),
            "-- pg_dump --schema-only --table='public.\"blue | psql green\"' green | psql blue");
  difference.fix = "CREATE INDEX i ON blue (green)";
  EXPECT_EQ(difference.FixFor(turned), difference.fix);
}

TEST(SchemaDiff, AMissingTableStandsForWhatHangsOnIt) {
  Schema blue = One("table", "t", Object("table"));
  blue["column"]["t.a"] = Object("", "integer", "t");
  Schema green;
  green["column"] = {};
  const auto found = CompareSchemas(blue, green);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].object, "t");
}

TEST(SchemaDiff, ASettingOfAnObjectIsNotTheObject) {
  Schema blue = One("storage options", "t", Object("fillfactor=50", "", "t"));
  blue["statistics"]["s"] = Object("x", "", "t");
  EXPECT_EQ(CompareSchemas(blue, {}).size(), 2U);
}

TEST(SchemaDiff, JudgesWhatOnlyGreenHas) {
  struct Case {
    const char* kind;
    const char* definition;
    Difference what;
  };
  for (const auto& c : {
           Case{"column", "", Difference::kExtra},
           Case{"column", "NOT NULL", Difference::kDifferent},
           Case{"column", "NOT NULL DEFAULT 1", Difference::kExtra},
           Case{"column", "NOT NULL GENERATED ALWAYS AS IDENTITY", Difference::kExtra},
           Case{"constraint", "CHECK (a > 0)", Difference::kExtraRule},
           Case{"index", "CREATE UNIQUE INDEX …", Difference::kExtraRule},
           Case{"index", "CREATE INDEX …", Difference::kExtra},
       }) {
    Schema blue;
    blue[c.kind] = {};
    const auto found = CompareSchemas(blue, One(c.kind, "x", Object(c.definition)));
    ASSERT_EQ(found.size(), 1U) << c.definition;
    EXPECT_EQ(found[0].what, c.what) << c.kind << " " << c.definition;
  }
}

TEST(SchemaDiff, LabelsMayBeMoreButNotFewerOrInAnotherOrder) {
  const auto what = [](const char* blue, const char* green) {
    return CompareSchemas(One("type", "t", Object("enum", blue)),
                          One("type", "t", Object("enum", green)))[0]
        .what;
  };
  EXPECT_EQ(what("a\nb", "a\nx\nb"), Difference::kWidened);
  EXPECT_EQ(what("a\nb", "b\na"), Difference::kDifferent);
  EXPECT_EQ(what("a\nb", "a"), Difference::kDifferent);
}

TEST(SchemaDiff, TheWorstComesFirstAndLongDefinitionsAreCut) {
  Schema blue = One("index", "gone", Object("x"));
  blue["function"]["f"] = Object(std::string(500, 'a'));
  Schema green = One("index", "more", Object("x"));
  green["function"]["f"] = Object("b");
  const auto found = CompareSchemas(blue, green);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT((std::vector<Difference>{found[0].what, found[1].what, found[2].what}),
              ElementsAre(Difference::kMissing, Difference::kDifferent, Difference::kExtra));
  EXPECT_LT(found[1].Describe().size(), 250U);
  EXPECT_THAT(found[1].Describe(), HasSubstr("…"));
}

}  // namespace
}  // namespace pgteal::pipeline
