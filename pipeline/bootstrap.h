#ifndef PGTEAL_PIPELINE_BOOTSTRAP_H_
#define PGTEAL_PIPELINE_BOOTSTRAP_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pg/catalog.h"
#include "pg/connection.h"
#include "pg/replication.h"
#include "pipeline/membership.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// Makes what a deployment needs: first the publication, then the slot (a slot older than its
// publication could not decode), then schema pgteal with the progress row. Every step is left as it
// is when it is there already, so that an interrupted bootstrap is simply run again.

struct BootstrapOptions {
  std::vector<std::string> include_tables;  // "schema.table" patterns with * and ?; empty: all
  std::vector<std::string> exclude_tables;
  // Give tables without a usable replica identity one, instead of refusing them.
  bool set_replica_identity = false;
  bool may_set_replica_identity = true;  // false: the verb has no such flag
};

struct PreparedSource {
  pg::Slot slot;
  std::unique_ptr<pg::ReplicationConnection> stream;  // null when the slot was there already
  std::optional<Membership> membership = {};          // of before the slot was made
};

// Publication and slot on blue. Throws Refused when blue cannot publish (wal_level, privileges, no
// free slot) or when publishing would break its own UPDATEs. `session` is for the stream.
PreparedSource PrepareSource(pg::Connection& blue, const Deployment& deployment,
                             const BootstrapOptions& options, const pg::SessionOptions& session);

// Keeps on blue which tables the publication has, while there is no slot yet: what is added to it
// before the deployment begins on green is not known to be complete there. Without the right to
// make schema pgteal it warns instead.
void KeepMembership(pg::Connection& blue, const std::string& deployment);

// Schema and rows on green, beginning at `start_lsn` or where the slot stands. Throws Refused when
// the two connections lead to one database, when the slot is already past `start_lsn`, or when
// green belongs to another deployment.
void PrepareTarget(pg::Connection& blue, pg::Connection& green, const Deployment& deployment,
                   PreparedSource source, std::optional<pg::Lsn> start_lsn,
                   const pg::SessionOptions& session);

// The steps of the above, for verbs that need only some of them.

// Of several processes that find green without the deployment one may begin it: the first that
// asks, as long as its session lasts. Then schema pgteal is there. Throws Refused for the others.
void ClaimStart(pg::Connection& green, const std::string& deployment);

// Throws ConfigError for a name that a deployment may only bear when an older pgteal began it: its
// slot would be the one that another's captures or reloads use.
void RequireNewName(const std::string& name);

// Throws Refused when blue cannot publish.
void PreparePublication(pg::Connection& blue, const Deployment& deployment,
                        const BootstrapOptions& options);
// Whether it was made by that; somebody else may have made it before us.
bool IsOurPublication(pg::Connection& blue, const std::string& name);
// A temporary slot lives as long as `stream`. Throws Refused when no slot is free.
void CreateSlot(pg::Connection& blue, pg::ReplicationConnection& stream, const std::string& slot,
                bool temporary);
// With an exported snapshot, which lives while `stream` stays idle.
pg::CreatedSlot CreateExportingSlot(pg::ReplicationConnection& stream, const std::string& slot,
                                    bool is_temporary);
// Throws Refused when a server, named by `side`, cannot send its changes to our role: wal_level,
// privilege.
void RequireLogical(pg::Connection& source, const std::string& side);
void RequireWritable(pg::Connection& green, const applier::SideNames& sides);
// Green read-only for others, and schema pgteal with a new deployment whose progress is at `start`.
// `state`: what comes first, a load (its first phase) or the stream.
void BeginDeployment(pg::Connection& green, const std::string& name,
                     const pg::SystemIdentity& source, pg::Lsn consistent_point, pg::Lsn start,
                     const std::string& state = "streaming");

// True when green has a progress row for this deployment: streaming can resume.
bool IsPrepared(const Deployment& deployment, const pg::SessionOptions& session);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BOOTSTRAP_H_
