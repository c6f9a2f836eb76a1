#ifndef PGTEAL_TOOLS_RUN_PROGRESS_LINE_H_
#define PGTEAL_TOOLS_RUN_PROGRESS_LINE_H_

#include <chrono>
#include <string>

#include "pipeline/session.h"

namespace pgteal::tools {

// Shows how a stream is doing: on a terminal one line that is rewritten twice a second, elsewhere a
// log line at intervals. Main thread.
class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  ProgressLine(bool is_terminal, std::chrono::milliseconds log_interval);
  // Leaves the cursor on a fresh line.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(const pipeline::SessionView& view);

 private:
  std::string Text(const pipeline::SessionView& view, double seconds);

  const bool is_terminal_;
  const std::chrono::milliseconds interval_;
  Clock::time_point last_shown_;
  uint64_t last_changes_ = 0;
  uint64_t last_transactions_ = 0;
  bool has_line_ = false;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_RUN_PROGRESS_LINE_H_
