#include "applier/statements.h"

#include <gtest/gtest.h>

#include "pg/quote.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using tests::BinaryCell;
using tests::ChangeMaker;
using tests::kNull;
using tests::MakeTarget;

constexpr auto kText = Transport::kText;
constexpr auto kBinary = Transport::kBinary;
constexpr pg::Oid kTextArray{1009};
constexpr pg::Oid kInt8Array{1016};

// "id" bigint key, "note" text, "n" generated, "seq" always identity.
std::shared_ptr<TargetRelation> MixedTable() {
  auto target =
      MakeTarget(1, "t", {{"id", true}, {"note"}, {"n", false, true}, {"seq", false, false, true}});
  target->columns[0].type_sql = "\"pg_catalog\".\"int8\"";
  target->columns[0].binary_array_type = kInt8Array;
  return target;
}

TEST(Statements, AnInsertOfASetWritesEveryColumnThatGreenDoesNotCompute) {
  const auto statement = InsertSet(*MixedTable(), {kBinary, kText, kText, kText});
  EXPECT_EQ(statement.sql,
            "INSERT INTO \"public\".\"t\" (\"id\", \"note\", \"seq\") OVERRIDING SYSTEM VALUE "
            "SELECT u.c0, u.c1::\"pg_catalog\".\"text\", u.c3::\"pg_catalog\".\"text\" "
            "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), "
            "pg_catalog.unnest($3)) AS u(c0, c1, c3)");
  EXPECT_EQ(statement.parameter_types, (std::vector<pg::Oid>{kInt8Array, kTextArray, kTextArray}));
}

TEST(Statements, AnUpdateOfASetFindsRowsByKeyAndByIdentitiesThatItCannotWrite) {
  const auto statement = UpdateSet(*MixedTable(), {1}, {kText, kText, kText, kText});
  EXPECT_EQ(statement.sql,
            "UPDATE ONLY \"public\".\"t\" AS t SET \"note\" = u.c1::\"pg_catalog\".\"text\" "
            "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), "
            "pg_catalog.unnest($3)) AS u(c0, c3, c1) "
            "WHERE t.\"id\" OPERATOR(pg_catalog.=) u.c0::\"pg_catalog\".\"int8\" "
            "AND t.\"seq\" OPERATOR(pg_catalog.=) u.c3::\"pg_catalog\".\"text\"");
  EXPECT_EQ(statement.parameter_types.size(), 3U);
}

TEST(Statements, ADeleteOfASetNamesTheWholeKey) {
  auto target = MakeTarget(1, "t", {{"a", true}, {"x"}, {"b", true}});
  target->columns[2].equality = "OPERATOR(\"other\".=)";
  const auto statement = DeleteSet(*target, {kText, kText, kBinary});
  EXPECT_EQ(statement.sql,
            "DELETE FROM ONLY \"public\".\"t\" AS t USING ROWS FROM (pg_catalog.unnest($1), "
            "pg_catalog.unnest($2)) AS u(c0, c2) "
            "WHERE t.\"a\" OPERATOR(pg_catalog.=) u.c0::\"pg_catalog\".\"text\" "
            "AND t.\"b\" OPERATOR(\"other\".=) u.c2");
}

TEST(Statements, APartitionedTableIsWrittenWithItsPartitions) {
  auto target = MakeTarget(1, "t", {{"id", true}, {"note"}});
  target->is_partitioned = true;
  const std::vector<Transport> transports(2, kText);
  EXPECT_EQ(UpdateSet(*target, {1}, transports).sql.substr(0, 27),
            "UPDATE \"public\".\"t\" AS t SE");
  EXPECT_EQ(DeleteSet(*target, transports).sql.substr(0, 27), "DELETE FROM \"public\".\"t\" AS");
  EXPECT_EQ(DeleteRowSql(*target, "true"), "DELETE FROM \"public\".\"t\" AS t WHERE true");
}

TEST(Statements, AssignableColumnsAreWhatAnUpdateMayWrite) {
  EXPECT_EQ(AssignableColumns(*MixedTable()), ColumnList{1});
  EXPECT_EQ(FixedColumns(*MixedTable()), ColumnList{3});
  EXPECT_TRUE(FixedColumns(*MakeTarget(1, "t", {{"id", true, false, true}})).empty());
}

TEST(Statements, RowStatements) {
  const auto target = MixedTable();
  struct Case {
    const char* name;
    std::string sql;
    const char* expected;
  };
  const Case cases[] = {
      {"insert", InsertRowSql(*target, target->written),
       "INSERT INTO \"public\".\"t\" (\"id\", \"note\", \"seq\") OVERRIDING SYSTEM VALUE "
       "VALUES ($1, $2, $3)"},
      {"insert without columns", InsertRowSql(*target, {}),
       "INSERT INTO \"public\".\"t\" DEFAULT VALUES"},
      {"update", UpdateRowSql(*target, {0, 1}, "t.\"id\" = $3"),
       "UPDATE ONLY \"public\".\"t\" AS t SET \"id\" = $1, \"note\" = $2 WHERE t.\"id\" = $3"},
      {"find", FindRowSql(*target, "t.\"id\" = $1"),
       "SELECT FROM ONLY \"public\".\"t\" AS t WHERE t.\"id\" = $1 FOR UPDATE"},
      {"delete", DeleteRowSql(*target, "t.\"id\" = $1"),
       "DELETE FROM ONLY \"public\".\"t\" AS t WHERE t.\"id\" = $1"},
      {"copy text", CopySql(*target, false),
       "COPY \"public\".\"t\" (\"id\", \"note\", \"seq\") FROM STDIN (FORMAT text)"},
      {"copy binary", CopySql(*target, true),
       "COPY \"public\".\"t\" (\"id\", \"note\", \"seq\") FROM STDIN (FORMAT binary)"},
      {"copy without columns", CopySql(*MakeTarget(1, "empty", {}), false),
       "COPY \"public\".\"empty\" FROM STDIN (FORMAT text)"},
      {"one of several", OneOfSql(*target, "m"),
       "t.ctid = (SELECT t.ctid FROM ONLY \"public\".\"t\" AS t WHERE m LIMIT 1)"},
  };
  for (const auto& c : cases) EXPECT_EQ(c.sql, c.expected) << c.name;
}

TEST(Statements, OneOfSeveralPartitionedRowsNeedsItsPartition) {
  auto target = MakeTarget(1, "t", {{"a"}});
  target->is_partitioned = true;
  EXPECT_EQ(OneOfSql(*target, "m"),
            "(t.tableoid, t.ctid) IN (SELECT t.tableoid, t.ctid FROM \"public\".\"t\" AS t "
            "WHERE m LIMIT 1)");
}

TEST(Statements, AMatchComparesNullsByIsNullAndCountsTheOthers) {
  ChangeMaker maker;
  const auto target = MakeTarget(1, "t", {{"a"}, {"b"}, {"c"}});
  const auto row = maker.Row({"1", kNull, "3"});
  EXPECT_EQ(MatchSql(*target, {0, 1, 2}, row.values, false, 4),
            "t.\"a\" OPERATOR(pg_catalog.=) $4::\"pg_catalog\".\"text\" AND t.\"b\" IS NULL "
            "AND t.\"c\" OPERATOR(pg_catalog.=) $5::\"pg_catalog\".\"text\"");
  EXPECT_EQ(MatchSql(*target, {}, row.values, false, 1), "true");
}

TEST(Statements, AMatchBySpellingComparesTextToo) {
  ChangeMaker maker;
  auto target = MakeTarget(1, "t", {{"price"}, {"doc"}});
  target->columns[0].type_sql = "\"pg_catalog\".\"numeric\"";
  target->columns[0].has_many_spellings = true;
  target->columns[1].type_sql = "\"pg_catalog\".\"json\"";
  target->columns[1].equality = "";
  const auto row = maker.Row({"1.0", "{}"});
  EXPECT_EQ(MatchSql(*target, {0, 1}, row.values, true, 1),
            "t.\"price\" OPERATOR(pg_catalog.=) $1::\"pg_catalog\".\"numeric\" AND "
            "t.\"price\"::pg_catalog.text OPERATOR(pg_catalog.=) "
            "$1::\"pg_catalog\".\"numeric\"::pg_catalog.text AND "
            "t.\"doc\"::pg_catalog.text OPERATOR(pg_catalog.=) "
            "$2::\"pg_catalog\".\"json\"::pg_catalog.text");
  EXPECT_EQ(MatchSql(*target, {0}, row.values, false, 1),
            "t.\"price\" OPERATOR(pg_catalog.=) $1::\"pg_catalog\".\"numeric\"");
}

TEST(Statements, ATruncateNamesItsTablesAndNeverCascades) {
  const auto plain = MakeTarget(1, "a", {{"id", true}});
  auto parent = MakeTarget(2, "b", {{"id", true}});
  parent->is_partitioned = true;
  EXPECT_EQ(TruncateSql({plain.get(), parent.get()}, false),
            "TRUNCATE TABLE ONLY \"public\".\"a\", \"public\".\"b\" CONTINUE IDENTITY RESTRICT");
  EXPECT_EQ(TruncateSql({plain.get()}, true),
            "TRUNCATE TABLE ONLY \"public\".\"a\" RESTART IDENTITY RESTRICT");
  parent->may_restart_sequences = false;
  EXPECT_EQ(TruncateSql({plain.get(), parent.get()}, true),
            "TRUNCATE TABLE ONLY \"public\".\"a\", \"public\".\"b\" CONTINUE IDENTITY RESTRICT");
}

TEST(Statements, NamesOfAnyKindStayNames) {
  const std::string nasty = "a\"b'; DROP TABLE x; --{}$1";
  auto target = MakeTarget(1, "t", {{"id", true}, {"v"}});
  target->qualified = pg::QuoteQualified(nasty, nasty);
  target->columns[0].name = pg::QuoteIdentifier(nasty);
  const std::string quoted = "\"a\"\"b'; DROP TABLE x; --{}$1\"";
  EXPECT_EQ(InsertRowSql(*target, {0}), "INSERT INTO " + quoted + "." + quoted + " (" + quoted +
                                            ") OVERRIDING SYSTEM VALUE VALUES ($1)");
  EXPECT_NE(DeleteSet(*target, {kText, kText}).sql.find("t." + quoted + " OPERATOR"),
            std::string::npos);
}

}  // namespace
}  // namespace pgteal::applier
