#ifndef PGTEAL_PIPELINE_SCHEMA_BASELINE_H_
#define PGTEAL_PIPELINE_SCHEMA_BASELINE_H_

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "pg/connection.h"
#include "pipeline/schema_diff.h"

namespace pgteal::pipeline {

// Blue's tables that the publication does not send, qualified and quoted.
std::vector<std::string> UnpublishedTables(pg::Connection& blue, const std::string& publication);

// All of green's structure against blue's. Slow where there are thousands of tables.
std::vector<SchemaDifference> CompareStructure(pg::Connection& blue, pg::Connection& green);
// What green lacks or has otherwise, of that comparison, and unpublished tables. What green has
// more, or wider, is not in it.
std::vector<SchemaDifference> FindDifferences(pg::Connection& blue, const std::string& publication,
                                              std::vector<SchemaDifference> structure);

// Differences that there were when the deployment began to stream: made on purpose, and no change
// of blue's schema. Kept in pgteal.schema_baseline on green, as kind, object and blue's definition.
using SchemaBaseline = std::set<std::tuple<std::string, std::string, std::string>>;

bool IsKnown(const SchemaBaseline& baseline, const SchemaDifference& difference);
// None: not recorded yet.
std::optional<SchemaBaseline> ReadBaseline(pg::Connection& green, const std::string& deployment);
void RecordBaseline(pg::Connection& green, const std::string& deployment,
                    const std::vector<SchemaDifference>& differences);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_BASELINE_H_
