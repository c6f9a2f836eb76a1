#ifndef PGTEAL_TOOLS_SWITCHOVER_HOOK_H_
#define PGTEAL_TOOLS_SWITCHOVER_HOOK_H_

#include <string>

#include "pg/interrupt.h"
#include "pg/lsn.h"
#include "pipeline/options.h"

namespace pgteal::tools {

// Runs the operator's command through the shell, with in its environment
//   PGTEAL_PHASE    the step that is done: prepare, fence, …, switched; undone
//   PGTEAL_SOURCE, PGTEAL_TARGET  blue and green, as given
//   PGTEAL_FROM, PGTEAL_TO        the side that is closed, the side that is opened
//   PGTEAL_LSN      the barrier, once there is one
// Returns its exit code. Throws Interrupted.
int RunHook(const std::string& command, const std::string& phase,
            const pipeline::Deployment& deployment, const pipeline::Deployment& oriented,
            pg::Lsn barrier, const pg::Interrupt* interrupt);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_HOOK_H_
