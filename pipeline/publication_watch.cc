#include "pipeline/publication_watch.h"

#include <map>
#include <set>

#include "pipeline/schema_diff.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kKind = kCompleteTable;
// The object of the row that says that there is a record, even of nothing.
constexpr const char* kMark = "";

// A partition came with its parent, or was attached to it: pgteal's schema guard sees that. Empty:
// nothing can be missing.
constexpr const char* kPublishedSql = R"(
SELECT n.nspname || '.' || c.relname,
       pg_relation_size(c.oid) + coalesce((SELECT sum(pg_relation_size(t.relid))
                                             FROM pg_partition_tree(c.oid) AS t), 0) = 0
  FROM pg_publication AS p JOIN pg_publication_rel AS r ON r.prpubid = p.oid
  JOIN pg_class AS c ON c.oid = r.prrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE p.pubname = $1 AND NOT c.relispartition ORDER BY 1)";

void Record(pg::Connection& green, const std::string& deployment,
            const std::vector<std::string>& objects) {
  std::vector<pg::Connection::Query> queries;
  for (const auto& object : objects) {
    queries.push_back({.sql = "INSERT INTO pgteal.schema_baseline (deployment, kind, object,"
                              " definition) SELECT $1, $2, $3, '' WHERE NOT EXISTS (SELECT FROM"
                              " pgteal.schema_baseline WHERE deployment = $1 AND kind = $2 AND"
                              " object = $3)",
                       .params = {deployment, kKind, object}});
  }
  if (!queries.empty()) green.ExecTogether(queries);
}

// Once they are published again, what was written meanwhile is missing.
void Forget(pg::Connection& green, const std::string& deployment,
            const std::vector<std::string>& objects) {
  std::vector<pg::Connection::Query> queries;
  for (const auto& object : objects) {
    queries.push_back({.sql = "DELETE FROM pgteal.schema_baseline WHERE deployment = $1"
                              " AND kind = $2 AND object = $3",
                       .params = {deployment, kKind, object}});
  }
  if (!queries.empty()) green.ExecTogether(queries);
}

std::set<std::string> ReadComplete(pg::Connection& green, const std::string& deployment) {
  const auto rows =
      green.Exec("SELECT object FROM pgteal.schema_baseline WHERE deployment = $1 AND kind = $2",
                 {deployment, kKind});
  std::set<std::string> complete;
  for (int i = 0; i < rows.rows(); ++i) complete.insert(rows.String(i, 0));
  return complete;
}

struct Published {
  std::vector<std::string> behind;
  std::vector<std::string> added;  // objects to record: complete since the last look
  std::vector<std::string> gone;
};

Published Compare(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto rows = blue.Exec(kPublishedSql, {deployment});
  std::map<std::string, bool> published;  // whether it is empty
  for (int i = 0; i < rows.rows(); ++i) published.emplace(rows.String(i, 0), rows.Bool(i, 1));
  const auto complete = ReadComplete(green, deployment);
  const bool is_first = !complete.contains(kMark);
  Published found;
  for (const auto& [table, is_empty] : published) {
    if (complete.contains(table)) continue;
    (is_first || is_empty ? found.added : found.behind).push_back(table);
  }
  if (is_first) found.added.emplace_back(kMark);
  for (const auto& table : complete) {
    if (table != kMark && !published.contains(table)) found.gone.push_back(table);
  }
  return found;
}

}  // namespace

std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment) {
  return Compare(blue, green, deployment).behind;
}

void RecordPublished(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto found = Compare(blue, green, deployment);
  Record(green, deployment, found.added);
  Forget(green, deployment, found.gone);
}

void RecordComplete(pg::Connection& green, const std::string& deployment,
                    const std::set<TableKey>& tables) {
  std::vector<std::string> objects;
  for (const auto& [schema, name] : tables) objects.push_back(schema + "." + name);
  Record(green, deployment, objects);
}

}  // namespace pgteal::pipeline
