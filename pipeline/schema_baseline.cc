#include "pipeline/schema_baseline.h"

namespace pgteal::pipeline {
namespace {

// The row that says that there is a baseline, even of nothing.
constexpr const char* kMark = "recorded";

constexpr const char* kUnpublishedSql = R"(
SELECT t.name FROM tables AS t
 WHERE t.relkind = 'r' AND t.relpersistence = 'p' AND NOT EXISTS (
   SELECT FROM pg_publication_tables AS p WHERE p.pubname = $1
      AND to_regclass(format('%I.%I', p.schemaname, p.tablename))
          IN (SELECT t.oid UNION SELECT relid FROM pg_partition_ancestors(t.oid))) ORDER BY 1)";

}  // namespace

std::vector<std::string> UnpublishedTables(pg::Connection& blue, const std::string& publication) {
  const auto rows = blue.Exec(std::string(kUserObjects) + kUnpublishedSql, {publication});
  std::vector<std::string> tables;
  for (int i = 0; i < rows.rows(); ++i) tables.push_back(rows.String(i, 0));
  return tables;
}

std::vector<SchemaDifference> FindDifferences(pg::Connection& blue, pg::Connection& green,
                                              const std::string& publication) {
  std::vector<SchemaDifference> found;
  for (auto& one : CompareSchemas(ReadSchema(blue, SchemaWeight::kStructure),
                                  ReadSchema(green, SchemaWeight::kStructure))) {
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
      "SELECT kind, object, definition FROM pgteal.schema_baseline WHERE deployment = $1",
      {deployment});
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
