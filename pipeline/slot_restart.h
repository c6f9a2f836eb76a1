#ifndef PGTEAL_PIPELINE_SLOT_RESTART_H_
#define PGTEAL_PIPELINE_SLOT_RESTART_H_

#include <string>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Whether pg_replication_slot_advance() of this server can be trusted. 150013, as
// server_version_num.
bool MayAdvanceSlots(int server_version);

// Whoever decodes a slot begins at its restart_lsn, which a stream moves only when it comes past a
// list of running transactions (every 15 seconds, and at checkpoints) and is told of more progress
// after that. One that ended before it leaves WAL that everybody decodes again, and its large
// transactions go to blue's disk each time. This lets blue read that WAL once without decoding it
// (about a gigabyte per second) and find the last such list before confirmed_flush_lsn, which stays
// as it is. Does nothing for a slot that is near already, that is in use, or that is so far behind
// that an open transaction is the likely reason. What the server refuses is not the caller's
// error: only time is lost. The caller knows that nobody else streams or reads ahead.
void MoveRestartLsn(pg::Connection& blue, const std::string& slot);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SLOT_RESTART_H_
