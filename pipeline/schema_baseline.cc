#include "pipeline/schema_baseline.h"

namespace pgteal::pipeline {
namespace {

// The row that says that there is a baseline, even of nothing.
constexpr const char* kMark = "recorded";

// Joined by name: to_regclass() may be asked of every relation before the publication's are picked,
// and fails for a role that may not use all schemas (pg_toast).
constexpr const char* kUnpublishedSql = R"(
, published AS MATERIALIZED (
  SELECT c.oid FROM pg_publication_tables AS p JOIN pg_namespace AS n ON n.nspname = p.schemaname
    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
   WHERE p.pubname = $1)
SELECT t.name FROM tables AS t
 WHERE t.relkind = 'r' AND t.relpersistence = 'p'
   AND t.oid NOT IN (SELECT oid FROM published)
   AND NOT EXISTS (SELECT FROM pg_partition_ancestors(t.oid) AS a
                    WHERE a.relid IN (SELECT oid FROM published)) ORDER BY 1)";

}  // namespace

std::vector<std::string> UnpublishedTables(pg::Connection& blue, const std::string& publication) {
  const auto rows = blue.Exec(std::string(kUserObjects) + kUnpublishedSql, {publication});
  std::vector<std::string> tables;
  for (int i = 0; i < rows.rows(); ++i) tables.push_back(rows.String(i, 0));
  return tables;
}

std::vector<SchemaDifference> CompareStructure(pg::Connection& blue, pg::Connection& green) {
  return CompareSchemas(ReadSchema(blue, SchemaWeight::kStructure),
                        ReadSchema(green, SchemaWeight::kStructure));
}

std::vector<SchemaDifference> FindDifferences(pg::Connection& blue, const std::string& publication,
                                              std::vector<SchemaDifference> structure) {
  std::vector<SchemaDifference> found;
  for (auto& one : structure) {
    if (one.what >= Difference::kDifferent) found.push_back(std::move(one));
  }
  for (const auto& table : UnpublishedTables(blue, publication)) {
    found.push_back({.what = Difference::kMissing,
                     .kind = kPublishedTable,
                     .object = table,
                     .blue = "",
                     .green = "",
                     .fix = ""});
  }
  return found;
}

bool IsKnown(const SchemaBaseline& baseline, const SchemaDifference& difference) {
  return baseline.contains({difference.kind, difference.object, difference.blue});
}

std::optional<SchemaBaseline> ReadBaseline(pg::Connection& green, const std::string& deployment) {
  const auto rows = green.Exec(
      "SELECT kind, object, definition FROM pgteal.schema_baseline WHERE deployment = $1"
      " AND kind NOT IN ($2, $3)",
      {deployment, kCompleteTable, kPreparedTable});
  if (rows.is_empty()) return std::nullopt;
  SchemaBaseline baseline;
  for (int i = 0; i < rows.rows(); ++i) {
    baseline.emplace(rows.String(i, 0), rows.String(i, 1), rows.String(i, 2));
  }
  return baseline;
}

void RecordBaseline(pg::Connection& green, const std::string& deployment,
                    const std::vector<SchemaDifference>& differences) {
  constexpr const char* kInsert =
      "INSERT INTO pgteal.schema_baseline (deployment, kind, object, definition)"
      " VALUES ($1, $2, $3, $4)";
  std::vector<pg::Connection::Query> queries;
  for (const auto& one : differences) {
    queries.push_back({.sql = kInsert, .params = {deployment, one.kind, one.object, one.blue}});
  }
  queries.push_back({.sql = kInsert, .params = {deployment, kMark, "", ""}});
  green.ExecTogether(queries);
}

}  // namespace pgteal::pipeline
