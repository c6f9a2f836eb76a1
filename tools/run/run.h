#ifndef PGTEAL_TOOLS_RUN_RUN_H_
#define PGTEAL_TOOLS_RUN_RUN_H_

#include <atomic>
#include <optional>

#include "pipeline/load.h"
#include "pipeline/options.h"

namespace pgteal::tools {

struct RunOptions {
  pipeline::Deployment deployment;
  pipeline::LoadOptions load;  // its `bootstrap` is for every way to begin
  pipeline::StreamOptions stream;
  std::optional<pg::Lsn> start_lsn;
  bool is_terminal = false;
  std::chrono::milliseconds log_interval{10'000};
};

// Loads or bootstraps what is missing, then streams until stopped or done. Returns an exit code.
// `interrupt` is raised with `stop`: it ends waits of sessions that have nothing to finish.
int Run(const RunOptions& options, const std::atomic<bool>& stop, const pg::Interrupt& interrupt);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_RUN_RUN_H_
