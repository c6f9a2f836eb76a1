#ifndef PGTEAL_PIPELINE_RIVALS_H_
#define PGTEAL_PIPELINE_RIVALS_H_

#include "pg/connection.h"
#include "pipeline/bootstrap.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// For a deployment that is about to begin, before anything is made on either side. Throws Refused
// when the two take from each other already: the other way round (--source and --target were
// swapped, and the server that takes the writes would be made read-only), or the same tables under
// another name or by an enabled subscription of green, whose rows would then come twice.
void RequireNoRival(pg::Connection& blue, pg::Connection& green, const std::string& name,
                    const BootstrapOptions& options);

// Throws Refused unless `following` holds the deployment, and takes from `leading`.
void RequireFollows(pg::Connection& following, pg::Connection& leading, const std::string& name);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_RIVALS_H_
