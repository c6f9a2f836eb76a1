#ifndef PGTEAL_TOOLS_CHECK_REPORT_H_
#define PGTEAL_TOOLS_CHECK_REPORT_H_

#include <string>
#include <vector>

#include "tools/check/check.h"

namespace pgteal::tools {

struct ReportOptions {
  size_t findings_max = 10;  // shown of one check
  bool is_color = false;
};

// A table grouped by area, the fixing SQL under each finding, and a line that sums up.
std::string CheckText(const std::vector<CheckResult>& results, const ReportOptions& options);
// All findings, as JSON: {"verdict", "counts", "checks": […]}.
std::string CheckJson(const std::vector<CheckResult>& results);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CHECK_REPORT_H_
