#ifndef PGTEAL_TOOLS_CLI_VERBS_H_
#define PGTEAL_TOOLS_CLI_VERBS_H_

#include <CLI/CLI.hpp>

namespace pgteal::tools {

// Each adds its subcommand; the callback stores the exit code in `*exit_code`.
void AddCapture(CLI::App* app, int* exit_code);
void AddCheck(CLI::App* app, int* exit_code);
void AddCleanup(CLI::App* app, int* exit_code);
void AddInspect(CLI::App* app, int* exit_code);
void AddPrepare(CLI::App* app, int* exit_code);
void AddReplay(CLI::App* app, int* exit_code);
void AddRollback(CLI::App* app, int* exit_code);
void AddRun(CLI::App* app, int* exit_code);
void AddStatus(CLI::App* app, int* exit_code);
void AddSwitchover(CLI::App* app, int* exit_code);
void AddSyncSequences(CLI::App* app, int* exit_code);
void AddVerify(CLI::App* app, int* exit_code);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_VERBS_H_
