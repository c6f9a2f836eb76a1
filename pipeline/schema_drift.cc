#include "pipeline/schema_drift.h"

#include "pipeline/publication_watch.h"
#include "pipeline/schema_baseline.h"

namespace pgteal::pipeline {

std::optional<std::vector<SchemaDifference>> FindDrift(pg::Connection& blue, pg::Connection& green,
                                                       const std::string& deployment) {
  const auto baseline = ReadBaseline(green, deployment);
  if (!baseline) return std::nullopt;
  std::vector<SchemaDifference> drift;
  for (auto& one : FindDifferences(blue, green, deployment)) {
    if (!IsKnown(*baseline, one)) drift.push_back(std::move(one));
  }
  for (const auto& table : TablesBehind(blue, green, deployment)) {
    drift.push_back({.what = Difference::kMissing,
                     .kind = kCompleteTable,
                     .object = table,
                     .blue = "",
                     .green = "",
                     .fix = ""});
  }
  return drift;
}

}  // namespace pgteal::pipeline
