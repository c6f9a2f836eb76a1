#ifndef PGTEAL_TOOLS_CLI_JSON_LOG_H_
#define PGTEAL_TOOLS_CLI_JSON_LOG_H_

#include <spdlog/formatter.h>

#include <memory>

namespace pgteal::tools {

// One JSON object a line: {"time":…,"level":…,"message":…}, whatever the message holds.
std::unique_ptr<spdlog::formatter> JsonLogFormatter();

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_JSON_LOG_H_
