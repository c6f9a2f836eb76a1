#include "tests/support/pgteal_process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

constexpr int kSignalBase = 128;  // as a shell reports it
constexpr size_t kLogTailBytes = 8000;

std::vector<std::string> WithBinary(const std::vector<std::string>& args,
                                    const std::string& script) {
  std::vector<std::string> argv;
  if (!script.empty()) argv = {"bash", "-c", script, "bash"};
  argv.emplace_back(PGTEAL_BINARY);
  argv.insert(argv.end(), args.begin(), args.end());
  return argv;
}

}  // namespace

PgtealProcess::PgtealProcess(const std::vector<std::string>& args,
                             const std::map<std::string, std::string>& env,
                             const std::filesystem::path& log_path, const std::string& script)
    : folder_("run"),
      process_(ProcessOptions{.argv = WithBinary(args, script),
                              .env = env,
                              .stdout_path = folder_ / "stdout",
                              .stderr_path = log_path.empty() ? folder_ / "stderr" : log_path}) {}

PgtealProcess::~PgtealProcess() {
  if (!testing::Test::HasFailure()) return;
  std::string log = Log();
  if (log.size() > kLogTailBytes) log.erase(0, log.size() - kLogTailBytes);
  std::printf("---- log of pgteal (pid %d)\n%s\n----\n", process_.pid(), log.c_str());
}

void PgtealProcess::Kill9() {
  process_.Kill(SIGKILL);
  process_.Wait(std::chrono::seconds(60));
}

void PgtealProcess::Terminate() { process_.Kill(SIGTERM); }

std::optional<int> PgtealProcess::WaitExit(std::chrono::milliseconds timeout) {
  const auto status = process_.Wait(timeout);
  if (!status) return std::nullopt;
  return status->signal != 0 ? kSignalBase + status->signal : status->code;
}

uint64_t PgtealProcess::PeakRssBytes() {
  const auto status = Status();
  return status ? status->peak_rss_bytes : process_.PeakRssBytes();
}

bool PgtealProcess::WaitForLog(const std::string& text, std::chrono::milliseconds timeout) {
  return WaitUntil([&] { return Log().find(text) != std::string::npos; }, timeout);
}

}  // namespace pgteal::tests
