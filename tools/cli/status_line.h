#ifndef PGTEAL_TOOLS_CLI_STATUS_LINE_H_
#define PGTEAL_TOOLS_CLI_STATUS_LINE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "tools/cli/terminal_log.h"

namespace pgteal::tools {

// Shows how long work is doing: on a terminal one line that is rewritten twice a second, elsewhere
// a log line at intervals. Main thread.
class StatusLine {
 public:
  using Clock = std::chrono::steady_clock;

  StatusLine(bool is_terminal, std::chrono::milliseconds log_interval);
  // What was shown last stays on the terminal.
  ~StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Cheap to ask at every turn. The seconds since the last line, or 0 while none is due.
  double SecondsIfDue() const;
  void Show(const std::string& text);

 private:
  const std::shared_ptr<TerminalLog> terminal_;  // null: log lines
  const std::chrono::milliseconds interval_;
  Clock::time_point last_shown_;
};

// "1.5MB"
std::string BytesText(uint64_t bytes);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_STATUS_LINE_H_
