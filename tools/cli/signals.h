#ifndef PGTEAL_TOOLS_CLI_SIGNALS_H_
#define PGTEAL_TOOLS_CLI_SIGNALS_H_

#include <atomic>

#include "pg/interrupt.h"

namespace pgteal::tools {

// SIGINT and SIGTERM: the first one asks for a clean end, the second ends the process at once (exit
// code 130; green rolls back what was open, nothing is lost).
const std::atomic<bool>& StopOnSignals();
// Raised by the first of them as well: for connections with nothing to finish. After
// StopOnSignals().
const pg::Interrupt& SignalInterrupt();

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_SIGNALS_H_
