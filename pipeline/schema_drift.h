#ifndef PGTEAL_PIPELINE_SCHEMA_DRIFT_H_
#define PGTEAL_PIPELINE_SCHEMA_DRIFT_H_

#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/schema_diff.h"

namespace pgteal::pipeline {

// What has changed on blue since the deployment began to stream and green lacks, now: differences
// that are not in its baseline, and tables whose rows are behind. None: there is no baseline,
// nobody watches the schema. Reads only.
std::optional<std::vector<SchemaDifference>> FindDrift(pg::Connection& blue, pg::Connection& green,
                                                       const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_DRIFT_H_
