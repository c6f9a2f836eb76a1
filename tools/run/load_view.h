#ifndef PGTEAL_TOOLS_RUN_LOAD_VIEW_H_
#define PGTEAL_TOOLS_RUN_LOAD_VIEW_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/load_progress.h"
#include "tools/cli/terminal_log.h"

namespace pgteal::tools {

// Shows a load: on a terminal a bar for each table under way and each index that is built, redrawn
// in place and gone at the end, elsewhere a log line at intervals. At the end the phases and how
// long they took. Main thread.
class LoadView {
 public:
  using Clock = std::chrono::steady_clock;

  LoadView(bool is_terminal, std::chrono::milliseconds log_interval);
  ~LoadView();
  LoadView(const LoadView&) = delete;
  LoadView& operator=(const LoadView&) = delete;

  void Show(const pipeline::LoadProgress& progress);

 private:
  std::vector<std::string> Lines(const pipeline::LoadProgress& progress, double seconds);
  std::string TableBar(const pipeline::TableProgress& table, double seconds);

  const std::shared_ptr<TerminalLog> terminal_;  // null: log lines
  const std::chrono::milliseconds interval_;
  Clock::time_point last_shown_;
  uint64_t last_bytes_ = 0;
  std::map<const pipeline::TableProgress*, uint64_t> last_table_bytes_;
  std::vector<std::string> phases_;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_RUN_LOAD_VIEW_H_
