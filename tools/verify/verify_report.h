#ifndef PGTEAL_TOOLS_VERIFY_VERIFY_REPORT_H_
#define PGTEAL_TOOLS_VERIFY_VERIFY_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/verify_result.h"

namespace pgteal::tools {

// What `verify` prints. Rows are named by their keys; no other value is ever shown.
std::string VerifyText(const pipeline::VerifyResult& result);
nlohmann::json VerifyJson(const pipeline::VerifyResult& result);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_VERIFY_VERIFY_REPORT_H_
