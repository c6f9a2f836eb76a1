#include "pipeline/copy_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "pg/error.h"
#include "pg/ids.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// Smaller tables are never split.
constexpr uint64_t kSplitBytesMin = 64 << 20;

// attnames and rowfilter exist since version 15; to_jsonb makes one text fit all.
constexpr const char* kTablesSql = R"(
SELECT n.nspname, c.relname, c.oid, c.relfilenode, c.relkind = 'p',
       CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_table_size(t.relid)), 0)
                                         FROM pg_partition_tree(c.oid) AS t WHERE t.isleaf)
            ELSE coalesce(pg_table_size(c.oid), 0) END::bigint,
       CASE WHEN c.relkind = 'p' THEN 0
            ELSE coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::bigint END,
       to_jsonb(p)->>'rowfilter'
  FROM pg_publication_tables AS p
  JOIN pg_namespace AS n ON n.nspname = p.schemaname
  JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
 WHERE p.pubname = $1 AND n.nspname <> 'pgteal'
   AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2)";

// In binary form regclass and its like are numbers that mean other objects on green, and a few
// types (aclitem) have none. Of an array its elements count.
constexpr const char* kSourceColumnsSql = R"(
SELECT a.attrelid, a.attname, t.oid, tn.nspname || '.' || t.typname, t.typtype,
       coalesce(v.typsend <> 0 AND v.typreceive <> 0 AND v.typname !~ '^reg', false)
  FROM pg_publication_tables AS p
  JOIN pg_namespace AS n ON n.nspname = p.schemaname
  JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
  JOIN pg_attribute AS a ON a.attrelid = c.oid
  JOIN pg_type AS t ON t.oid = a.atttypid
  JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_type AS v ON v.oid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
 WHERE p.pubname = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND coalesce(to_jsonb(p)->'attnames' ? a.attname::text, true)
 ORDER BY a.attrelid, a.attnum)";

constexpr const char* kTargetColumnsSql = R"(
SELECT n.nspname, c.relname, a.attname, t.oid, tn.nspname || '.' || t.typname, t.typtype,
       a.attgenerated <> ''
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type AS t ON t.oid = a.atttypid
  JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')";

constexpr const char* kTargetTablesSql = R"(
SELECT n.nspname, c.relname, c.relkind = 'p',
       EXISTS (SELECT 1 FROM pg_constraint AS f WHERE f.confrelid = c.oid AND f.contype = 'f')
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')";

using Key = std::pair<std::string, std::string>;  // schema, table
struct TargetTable {
  bool is_partitioned = false;
  bool has_references = false;
  std::map<std::string, PlannedColumn> columns;
};

std::map<Key, TargetTable> ReadTarget(pg::Connection& green) {
  std::map<Key, TargetTable> tables;
  const auto rows = green.Exec(kTargetTablesSql);
  for (int i = 0; i < rows.rows(); ++i) {
    auto& table = tables[{rows.String(i, 0), rows.String(i, 1)}];
    table.is_partitioned = rows.Bool(i, 2);
    table.has_references = rows.Bool(i, 3);
  }
  const auto columns = green.Exec(kTargetColumnsSql);
  for (int i = 0; i < columns.rows(); ++i) {
    if (columns.Bool(i, 6)) continue;
    tables[{columns.String(i, 0), columns.String(i, 1)}].columns.emplace(
        columns.String(i, 2), PlannedColumn{.name = columns.String(i, 2),
                                            .type = columns.String(i, 4),
                                            .type_oid = static_cast<uint32_t>(columns.Int(i, 3)),
                                            .type_kind = columns.Text(i, 5).front()});
  }
  return tables;
}

// Arrays of built-in types are built-in; an enum's binary form is its label.
bool TakesBinary(const PlannedColumn& from, const PlannedColumn& to) {
  if (from.type != to.type || from.type_kind != to.type_kind) return false;
  if (from.type_kind == 'e') return true;
  return from.type_kind == 'b' && from.type_oid == to.type_oid &&
         from.type_oid < pg::Oid::kFirstNormal && from.has_binary;
}

std::string ListColumns(const PlannedTable& table) {
  std::string list;
  for (const auto& column : table.columns) {
    list += (list.empty() ? "" : ", ") + pg::QuoteIdentifier(column.name);
  }
  return list;
}

std::string Where(const PlannedTable& table, const CopyTask& task) {
  std::string where;
  const auto add = [&where](const std::string& condition) {
    where += (where.empty() ? " WHERE " : " AND ") + condition;
  };
  if (!table.row_filter.empty()) add("(" + table.row_filter + ")");
  if (task.pages) {
    add(fmt::format("ctid >= '({},0)'::pg_catalog.tid", task.pages->begin));
    if (task.pages->end) add(fmt::format("ctid < '({},0)'::pg_catalog.tid", *task.pages->end));
  }
  return where;
}

}  // namespace

std::string PlannedTable::qualified() const { return pg::QuoteQualified(schema, name); }
std::string PlannedTable::column_list() const { return ListColumns(*this); }

std::vector<PlannedTable> ReadPlan(pg::Connection& blue, const std::string& publication) {
  std::vector<PlannedTable> plan;
  std::map<uint32_t, size_t> places;
  const auto rows = blue.Exec(kTablesSql, {publication});
  for (int i = 0; i < rows.rows(); ++i) {
    PlannedTable table;
    table.schema = rows.String(i, 0);
    table.name = rows.String(i, 1);
    table.oid = static_cast<uint32_t>(rows.Int(i, 2));
    table.filenode = static_cast<uint32_t>(rows.Int(i, 3));
    table.is_partitioned = rows.Bool(i, 4);
    table.bytes = static_cast<uint64_t>(rows.Int(i, 5));
    table.pages = static_cast<uint64_t>(rows.Int(i, 6));
    table.row_filter = rows.String(i, 7);
    places.emplace(table.oid, plan.size());
    plan.push_back(std::move(table));
  }
  const auto columns = blue.Exec(kSourceColumnsSql, {publication});
  for (int i = 0; i < columns.rows(); ++i) {
    const auto place = places.find(static_cast<uint32_t>(columns.Int(i, 0)));
    if (place == places.end()) continue;
    plan[place->second].columns.push_back({.name = columns.String(i, 1),
                                           .type = columns.String(i, 3),
                                           .type_oid = static_cast<uint32_t>(columns.Int(i, 2)),
                                           .type_kind = columns.Text(i, 4).front(),
                                           .has_binary = columns.Bool(i, 5)});
  }
  return plan;
}

void MatchTarget(pg::Connection& green, const applier::SideNames& sides,
                 std::vector<PlannedTable>* plan) {
  const auto targets = ReadTarget(green);
  std::string missing;
  for (auto& table : *plan) {
    const auto found = targets.find({table.schema, table.name});
    if (found == targets.end()) {
      missing += fmt::format("{}{}.{}", missing.empty() ? "" : ", ", table.schema, table.name);
      continue;
    }
    const auto& target = found->second;
    table.has_references = target.has_references;
    table.may_freeze = !target.is_partitioned && !target.has_references;
    table.is_binary = true;
    for (const auto& column : table.columns) {
      const auto on_green = target.columns.find(column.name);
      if (on_green == target.columns.end()) {
        missing += fmt::format("{}{}.{}.{}", missing.empty() ? "" : ", ", table.schema, table.name,
                               column.name);
        continue;
      }
      table.is_binary = table.is_binary && TakesBinary(column, on_green->second);
    }
  }
  if (missing.empty()) return;
  throw pg::Refused(
      sides.Format("green lacks tables or columns that are to be copied: {}", missing),
      sides.Format("Create them on green, or let --copy all create the schema."));
}

std::vector<CopyTask> SplitTasks(const std::vector<PlannedTable>& plan,
                                 const std::vector<size_t>& wanted, size_t jobs) {
  uint64_t total = 0;
  for (const size_t at : wanted) total += plan[at].bytes;
  const uint64_t share = std::max(kSplitBytesMin, total / jobs * 9 / 8);
  // A table in one piece is frozen while it is copied, which saves writing it once more; so it may
  // be half as large again as its share, while the other jobs build indexes.
  const uint64_t whole_max = std::max(kSplitBytesMin, total / jobs * 3 / 2);
  std::vector<std::pair<uint64_t, CopyTask>> tasks;
  for (const size_t at : wanted) {
    const auto& table = plan[at];
    if (jobs == 1 || table.is_partitioned || table.bytes <= whole_max || table.pages < 2) {
      tasks.push_back({table.bytes, {.table = at, .pages = std::nullopt}});
      continue;
    }
    // Pieces of half a share, so that the last ones end at about the same time.
    const uint64_t pieces = std::min<uint64_t>(table.pages, 1 + 2 * table.bytes / share);
    const uint64_t step = table.pages / pieces;
    for (uint64_t piece = 0; piece < pieces; ++piece) {
      const bool is_last = piece + 1 == pieces;
      CopyTask::Pages pages{.begin = piece * step, .end = std::nullopt};
      if (!is_last) pages.end = (piece + 1) * step;
      tasks.push_back({table.bytes / pieces, {.table = at, .pages = pages}});
    }
  }
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<CopyTask> sorted;
  for (const auto& [bytes, task] : tasks) sorted.push_back(task);
  return sorted;
}

std::string CopyOutSql(const PlannedTable& table, const CopyTask& task) {
  const std::string columns = ListColumns(table);
  const std::string where = Where(table, task);
  // COPY of the table itself is the fastest, and never looks at children or partitions.
  const bool is_plain = where.empty() && !table.is_partitioned;
  const std::string what =
      is_plain
          ? fmt::format("{}{}", table.qualified(), columns.empty() ? "" : " (" + columns + ")")
          : fmt::format("(SELECT {} FROM {}{}{})", columns, table.only(), table.qualified(), where);
  return fmt::format("COPY {} TO STDOUT{}", what, table.is_binary ? " (FORMAT binary)" : "");
}

std::string CopyInSql(const PlannedTable& table, bool freeze) {
  const std::string columns = ListColumns(table);
  std::string options;
  if (table.is_binary) options = "FORMAT binary";
  if (freeze) options += options.empty() ? "FREEZE" : ", FREEZE";
  return fmt::format("COPY {}{} FROM STDIN{}", table.qualified(),
                     columns.empty() ? "" : " (" + columns + ")",
                     options.empty() ? "" : " (" + options + ")");
}

}  // namespace pgteal::pipeline
