#ifndef PGTEAL_TOOLS_VERIFY_VERIFY_VIEW_H_
#define PGTEAL_TOOLS_VERIFY_VERIFY_VIEW_H_

#include "pipeline/verify_result.h"
#include "tools/cli/status_line.h"

namespace pgteal::tools {

// Shows how far a comparison is: a bar on a terminal, a log line now and then elsewhere. Main
// thread.
class VerifyView {
 public:
  explicit VerifyView(bool is_terminal);

  void Show(const pipeline::VerifyProgress& progress);

 private:
  StatusLine line_;
  uint64_t last_bytes_ = 0;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_VERIFY_VERIFY_VIEW_H_
