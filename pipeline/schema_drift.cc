#include "pipeline/schema_drift.h"

#include <utility>

#include "pipeline/publication_watch.h"

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
  std::vector<SchemaDifference> behind;
  for (const auto& table : TablesBehind(blue, green, deployment)) {
    behind.push_back({.what = Difference::kMissing,
                      .kind = kCompleteTable,
                      .object = table,
                      .blue = "",
                      .green = "",
                      .fix = ""});
  }
  return behind;
}

}  // namespace pgteal::pipeline
