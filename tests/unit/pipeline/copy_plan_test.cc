#include "pipeline/copy_plan.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

PlannedTable Table(const std::string& name, uint64_t megabytes) {
  PlannedTable table;
  table.schema = "public";
  table.name = name;
  table.bytes = megabytes << 20;
  table.pages = table.bytes / 8192;
  table.columns = {{.name = "a", .type = "pg_catalog.int4", .type_oid = 23, .type_kind = 'b'}};
  return table;
}

TEST(CopyPlan, ATableLargerThanItsShareKeepsEveryJobBusy) {
  const std::vector<PlannedTable> plan = {Table("small", 10), Table("large", 1000)};
  const auto tasks = SplitTasks(plan, {0, 1}, 4);
  ASSERT_GT(tasks.size(), 4U);
  EXPECT_EQ(tasks.back().table, 0U) << "the largest come first";
  // Together the ranges are the whole table, and the last one has no end.
  uint64_t next = 0;
  for (const auto& task : tasks) {
    if (task.table == 0) continue;
    ASSERT_TRUE(task.pages);
    EXPECT_EQ(task.pages->begin, next);
    if (!task.pages->end) {
      next = 0;
      continue;
    }
    next = *task.pages->end;
  }
  EXPECT_EQ(next, 0U);
}

TEST(CopyPlan, TablesOfAboutOneSizeAreNotSplit) {
  const std::vector<PlannedTable> plan = {Table("a", 500), Table("b", 520)};
  EXPECT_EQ(SplitTasks(plan, {0, 1}, 2).size(), 2U);
}

TEST(CopyPlan, ThePartsOfACopyStatement) {
  auto table = Table("t", 1);
  table.is_binary = true;
  EXPECT_EQ(CopyOutSql(table, {}), "COPY \"public\".\"t\" (\"a\") TO STDOUT (FORMAT binary)");
  EXPECT_EQ(CopyInSql(table, true),
            "COPY \"public\".\"t\" (\"a\") FROM STDIN (FORMAT binary, FREEZE)");
  table.row_filter = "(a > 5)";
  table.is_binary = false;
  EXPECT_EQ(CopyOutSql(table, {.table = 0, .pages = CopyTask::Pages{.begin = 7, .end = 9}}),
            "COPY (SELECT \"a\" FROM ONLY \"public\".\"t\" WHERE ((a > 5)) AND ctid >= "
            "'(7,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid) TO STDOUT");
  table.columns.clear();
  table.row_filter.clear();
  EXPECT_EQ(CopyOutSql(table, {}), "COPY \"public\".\"t\" TO STDOUT");
}

}  // namespace
}  // namespace pgteal::pipeline
