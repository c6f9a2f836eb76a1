#ifndef PGTEAL_PIPELINE_TURN_LOCK_H_
#define PGTEAL_PIPELINE_TURN_LOCK_H_

#include <string>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Advisory locks of a side's database by which the tools of a deployment know of each other. Held
// as long as the session.

// Of the closing side: whoever makes a turn holds it as long as it lives, whoever settles one takes
// it first. What is read of the turn before may be out of date once it is held. False: somebody
// else has it.
bool TryLockTurn(pg::Connection& side, const std::string& deployment);
// For several who need that no turn of this side begins meanwhile.
bool TryShareTurn(pg::Connection& side, const std::string& deployment);
// Whether a living tool is at the attempt that `side`'s row names. Takes no lock.
bool IsToolAlive(pg::Connection& side, const std::string& deployment);

// Of whoever settles an attempt; the next one waits for its end. False when that takes too long.
bool LockSettling(pg::Connection& side, const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TURN_LOCK_H_
