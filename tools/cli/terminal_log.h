#ifndef PGTEAL_TOOLS_CLI_TERMINAL_LOG_H_
#define PGTEAL_TOOLS_CLI_TERMINAL_LOG_H_

#include <spdlog/sinks/ansicolor_sink.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace pgteal::tools {

// The log on a terminal, with lines at its end that show how work is doing and are redrawn in
// place: what is logged appears above them. Lines are cut to the terminal's size, as the cursor
// would not find back over one that wraps. Thread-safe.
class TerminalLog : public spdlog::sinks::ansicolor_stderr_sink_mt {
 public:
  // The process's log if it goes to a terminal, else null.
  static std::shared_ptr<TerminalLog> Find();

  void log(const spdlog::details::log_msg& message) override;
  // Replaces the lines; none: the log alone.
  void Show(std::vector<std::string> lines);
  // What is shown stays where it is, as if it had been logged.
  void Leave();

  static size_t columns();

 private:
  void Erase();
  void Draw();

  std::mutex lines_mutex_;
  // Protected by lines_mutex_.
  std::vector<std::string> lines_;
  size_t drawn_ = 0;  // lines on the terminal, above the cursor
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_TERMINAL_LOG_H_
