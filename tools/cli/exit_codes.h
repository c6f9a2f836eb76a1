#ifndef PGTEAL_TOOLS_CLI_EXIT_CODES_H_
#define PGTEAL_TOOLS_CLI_EXIT_CODES_H_

namespace pgteal::tools {

// Part of the command line's contract (README, Exit codes).
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kRefused = 3,
  kDifferent = 4,
  kTimedOut = 5,
  kInterrupted = 130,
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_EXIT_CODES_H_
