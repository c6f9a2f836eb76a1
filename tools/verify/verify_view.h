#ifndef PGTEAL_TOOLS_VERIFY_VERIFY_VIEW_H_
#define PGTEAL_TOOLS_VERIFY_VERIFY_VIEW_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "pipeline/verify_result.h"
#include "tools/cli/status_line.h"

namespace pgteal::tools {

// How far a comparison is: bar, counts, rate, and how old its snapshots are.
std::string VerifyLine(const pipeline::VerifyProgress& progress, uint64_t bytes_per_second,
                       pipeline::Clock::time_point now);

// Shows that line: again and again on a terminal, in the log now and then elsewhere. Main thread.
class VerifyView {
 public:
  explicit VerifyView(bool is_terminal,
                      std::chrono::milliseconds log_interval = std::chrono::seconds(10));

  void Show(const pipeline::VerifyProgress& progress);

 private:
  StatusLine line_;
  uint64_t last_bytes_ = 0;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_VERIFY_VERIFY_VIEW_H_
