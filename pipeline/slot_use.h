#ifndef PGTEAL_PIPELINE_SLOT_USE_H_
#define PGTEAL_PIPELINE_SLOT_USE_H_

#include <optional>
#include <string>

#include "pg/connection.h"

namespace pgteal::pipeline {

// How the session that reads a backlog through a copy of the slot calls itself.
inline constexpr const char* kReadAheadPart = "read-ahead";

// Process of blue that reads a deployment's backlog ahead. The slot itself is idle meanwhile.
std::optional<int> ReadsAhead(pg::Connection& blue, const std::string& deployment);

// Process of blue that works for whoever has the deployment's slot: it streams or reads ahead.
std::optional<int> SlotUser(pg::Connection& blue, const std::string& deployment);

// Ends the sessions with which a deployment's changes are applied, or those of them that `which`, a
// condition that begins with AND, leaves; waits so long for each. Whoever still has one has lost
// the slot: it is a zombie.
void EndLanes(pg::Connection& green, const std::string& deployment, const std::string& which,
              int wait_ms);

// Process of either side that works for a `run`, a capture or a load of the deployment.
std::optional<int> RunOn(pg::Connection& side, const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SLOT_USE_H_
