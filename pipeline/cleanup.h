#ifndef PGTEAL_PIPELINE_CLEANUP_H_
#define PGTEAL_PIPELINE_CLEANUP_H_

#include <set>
#include <string>
#include <vector>

#include "pipeline/options.h"

namespace pgteal::pipeline {

// Removes what a deployment left on both sides: slots, publications, replication origins, replica
// identities that we set, green's read-only default, the deployment's rows and, once no other
// deployment uses the side, its event triggers and schema pgteal. A side that a switchover has
// closed stays closed; the statements that open it are among the phrases. What is not there is no
// error, so that an interrupted cleanup is simply run again. Returns what was removed, one phrase
// each. Throws Refused while a pgteal uses one of the slots, or makes a switchover, for a name that
// is not among the deployments on record, and where a slot or publication of the name is not known
// to be ours: of another database, of another tool.
std::vector<std::string> CleanUp(const Deployment& deployment, const pg::SessionOptions& session);

// The same on one side alone, while the other one cannot be reached or is gone for good. Throws
// Refused also when a switchover was left unfinished here.
std::vector<std::string> CleanUpOne(const pg::ConnInfo& side, const std::string& name, bool is_blue,
                                    const pg::SessionOptions& session);

// Names of deployments of which this side has something on record. One that only streams from here
// need not have.
std::set<std::string> DeploymentsOnRecord(pg::Connection& side);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_CLEANUP_H_
