#ifndef PGTEAL_PIPELINE_SCHEMA_DRIFT_H_
#define PGTEAL_PIPELINE_SCHEMA_DRIFT_H_

#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/schema_baseline.h"

namespace pgteal::pipeline {

// What has changed on blue since the deployment began to stream and green lacks, now: of
// CompareStructure() what is not in the baseline, and tables whose rows are behind. Reads only.
std::vector<SchemaDifference> FindDrift(pg::Connection& blue, pg::Connection& green,
                                        const std::string& deployment,
                                        const SchemaBaseline& baseline,
                                        std::vector<SchemaDifference> structure);

// Of tables that green has under a former name of blue's, the fix is to rename them there. Reads
// only.
void SuggestRenames(pg::Connection& blue, pg::Connection& green, const std::string& deployment,
                    std::vector<SchemaDifference>* differences);

// Tables whose rows are behind alone, which need no baseline.
std::vector<SchemaDifference> FindBehind(pg::Connection& blue, pg::Connection& green,
                                         const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_DRIFT_H_
