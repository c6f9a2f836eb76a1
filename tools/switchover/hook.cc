#include "tools/switchover/hook.h"

#include <spdlog/spdlog.h>

#include "pipeline/child_process.h"

namespace pgteal::tools {
namespace {

// As libpq reads it: every value quoted.
std::string Text(const pg::ConnInfo& info) {
  std::string text;
  for (const auto& [keyword, value] : info.settings()) {
    text += (text.empty() ? "" : " ") + keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "'";
  }
  return text;
}

}  // namespace

int RunHook(const std::string& command, const std::string& phase,
            const pipeline::Deployment& deployment, const pipeline::Deployment& oriented,
            pg::Lsn barrier, const pg::Interrupt* interrupt) {
  const auto result =
      pipeline::RunChild({.argv = {"/bin/sh", "-c", command},
                          .env = {{"PGTEAL_PHASE", phase},
                                  {"PGTEAL_SOURCE", Text(deployment.source)},
                                  {"PGTEAL_TARGET", Text(deployment.target)},
                                  {"PGTEAL_FROM", Text(oriented.source)},
                                  {"PGTEAL_TO", Text(oriented.target)},
                                  {"PGTEAL_LSN", barrier.is_valid() ? barrier.ToString() : ""}},
                          .interrupt = interrupt});
  if (!result.output.empty()) spdlog::info("hook {}: {}", phase, result.output);
  if (!result.errors.empty()) spdlog::warn("hook {}: {}", phase, result.errors);
  return result.exit_code;
}

}  // namespace pgteal::tools
