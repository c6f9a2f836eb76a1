#include "pipeline/schema_drift.h"

#include <map>
#include <string>
#include <utility>

#include "applier/renamed_table.h"
#include "pipeline/publication_watch.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

// As the comparison calls it: $1, qualified and quoted.
constexpr const char* kTableSql = R"(
SELECT c.oid, n.nspname, c.relname
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND quote_ident(n.nspname) || '.' || quote_ident(c.relname) = $1)";

}  // namespace

std::vector<SchemaDifference> FindDrift(pg::Connection& blue, pg::Connection& green,
                                        const std::string& deployment,
                                        const SchemaBaseline& baseline,
                                        std::vector<SchemaDifference> structure) {
  std::vector<SchemaDifference> drift;
  for (auto& one : FindDifferences(blue, deployment, std::move(structure))) {
    if (!IsKnown(baseline, one)) drift.push_back(std::move(one));
  }
  SuggestRenames(blue, green, deployment, &drift);
  for (auto& one : FindBehind(blue, green, deployment)) drift.push_back(std::move(one));
  return drift;
}

void SuggestRenames(pg::Connection& blue, pg::Connection& green, const std::string& deployment,
                    std::vector<SchemaDifference>* differences) {
  if (!applier::KnowsGreenTables(green)) return;
  for (auto& one : *differences) {
    if (one.what != Difference::kMissing || one.kind != "table") continue;
    const auto table = blue.Exec(kTableSql, {one.object});
    if (table.is_empty()) continue;
    const std::string rename =
        applier::RenameOnGreen(green, deployment, {static_cast<uint32_t>(table.Int(0, 0))},
                               table.String(0, 1), table.String(0, 2));
    if (!rename.empty()) one.fix = rename;
  }
}

std::vector<SchemaDifference> FindBehind(pg::Connection& blue, pg::Connection& green,
                                         const std::string& deployment) {
  std::map<std::string, const char*> kinds;
  for (const auto& table : TablesBehind(blue, green, deployment)) kinds[table] = kCompleteTable;
  for (const auto& table : UnfinishedReloads(blue, green, deployment)) {
    kinds[ReloadName(table)] = kCopiedTable;
  }
  std::vector<SchemaDifference> behind;
  for (const auto& [table, kind] : kinds) {
    behind.push_back({.what = Difference::kMissing,
                      .kind = kind,
                      .object = table,
                      .blue = "",
                      .green = "",
                      .fix = ""});
  }
  return behind;
}

}  // namespace pgteal::pipeline
