#ifndef PGTEAL_PIPELINE_SOURCE_IDENTITY_H_
#define PGTEAL_PIPELINE_SOURCE_IDENTITY_H_

#include "pg/catalog.h"
#include "pg/connection.h"
#include "pg/replication.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// Throws Refused unless `identity` is the blue that green's deployment began with: same server,
// same database, same timeline.
void RequireKnownSource(pg::Connection& green, const Deployment& deployment,
                        const pg::SystemIdentity& identity);

// Throws Refused when blue has given up the slot: WAL that green needs is gone.
void RequireKeptSlot(const pg::Slot& slot, const applier::SideNames& sides);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SOURCE_IDENTITY_H_
