#ifndef PGTEAL_PIPELINE_WAY_BACK_H_
#define PGTEAL_PIPELINE_WAY_BACK_H_

#include <string>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pg/replication.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// The stream in the other direction, for the time after a turn: from the side that is being opened
// to the one that is being closed. Its slot is older than the first write there, and its position
// is one at which both sides were equal and closed, so nothing that came from one side ever returns
// to it.

// While the old direction still streams and an attempt at a turn is on record: publication and slot
// on `to`, like the publication of `from` (see back_publication.h). `oriented`: source closes,
// target opens. Throws Refused when `to` cannot send (wal_level, slots, publication, replica
// identities).
void PrepareWayBack(pg::Connection& from, pg::Connection& to, const Deployment& oriented,
                    const pg::SessionOptions& session);
// The publication once more, and what is on record of its tables, when that of `from` may have
// changed since. The slot need not be made anew: what is written after the turn is still to come.
void PublishWayBack(pg::Connection& from, pg::Connection& to, const std::string& deployment);
// Changes nothing, behind the fence: throws Refused when that is to be done once more.
void RequirePublished(pg::Connection& from, pg::Connection& to, const std::string& deployment);
// Inside a transaction on the closing side, when both are equal: from here on it is the target of a
// stream that begins at `start`, a position of `to`.
void ArmWayBack(pg::Connection& from, const std::string& deployment, const pg::SystemIdentity& to,
                pg::Lsn start);
// Inside a transaction on the closing side: it is nobody's target again.
void DisarmWayBack(pg::Connection& from, const std::string& deployment);
// Whether the turn before armed the stream of this direction. `oriented`: source takes the writes.
bool IsArmed(const Deployment& oriented, const pg::SessionOptions& session);
// Undoes PrepareWayBack() on the side that was not opened.
void RemoveWayBack(pg::Connection& to, const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_WAY_BACK_H_
