#ifndef PGTEAL_TOOLS_RUN_PROGRESS_LINE_H_
#define PGTEAL_TOOLS_RUN_PROGRESS_LINE_H_

#include <chrono>
#include <string>

#include "pipeline/session.h"
#include "tools/cli/status_line.h"

namespace pgteal::tools {

// Shows how a stream is doing. Main thread.
class ProgressLine {
 public:
  ProgressLine(bool is_terminal, std::chrono::milliseconds log_interval)
      : line_(is_terminal, log_interval) {}

  void Show(const pipeline::SessionView& view);

 private:
  std::string Text(const pipeline::SessionView& view, double seconds);

  StatusLine line_;
  uint64_t last_changes_ = 0;
  uint64_t last_transactions_ = 0;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_RUN_PROGRESS_LINE_H_
