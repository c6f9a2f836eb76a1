#include "pipeline/schema_drift.h"

#include <map>
#include <string>
#include <utility>

#include "pipeline/publication_watch.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

std::vector<SchemaDifference> FindDrift(pg::Connection& blue, pg::Connection& green,
                                        const std::string& deployment,
                                        const SchemaBaseline& baseline,
                                        std::vector<SchemaDifference> structure) {
  std::vector<SchemaDifference> drift;
  for (auto& one : FindDifferences(blue, deployment, std::move(structure))) {
    if (!IsKnown(baseline, one)) drift.push_back(std::move(one));
  }
  for (auto& one : FindBehind(blue, green, deployment)) drift.push_back(std::move(one));
  return drift;
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
