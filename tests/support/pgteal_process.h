#ifndef PGTEAL_TESTS_SUPPORT_PGTEAL_PROCESS_H_
#define PGTEAL_TESTS_SUPPORT_PGTEAL_PROCESS_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_folder.h"

namespace pgteal::tests {

// The pgteal binary of this build, with arguments. Standard output and log are kept apart. When
// the test has failed by the time it is destroyed, the end of its log is printed. Killed by the
// destructor.
class PgtealProcess {
 public:
  // `log_path`: for the log instead of a file of its own (a Terminal's). `script`: of a bash around
  // it, which runs it as "$@" and to which everything below applies then.
  explicit PgtealProcess(const std::vector<std::string>& args,
                         const std::map<std::string, std::string>& env = {},
                         const std::filesystem::path& log_path = {},
                         const std::string& script = "");
  ~PgtealProcess();
  PgtealProcess(const PgtealProcess&) = delete;
  PgtealProcess& operator=(const PgtealProcess&) = delete;

  void Kill9();      // and waits for its end
  void Terminate();  // SIGTERM, does not wait
  void Signal(int number) { process_.Kill(number); }
  bool IsRunning() { return process_.IsRunning(); }
  pid_t pid() const { return process_.pid(); }

  // The exit code; 128 + signal when a signal ended it; nothing at the deadline.
  std::optional<int> WaitExit(std::chrono::milliseconds timeout = std::chrono::seconds(60));
  // Once it has ended.
  std::optional<ExitStatus> Status() { return process_.Wait(std::chrono::milliseconds(0)); }
  // While it runs, and after.
  uint64_t PeakRssBytes();

  std::string Stdout() const { return ReadFile(folder_ / "stdout"); }
  std::string Log() const { return ReadFile(folder_ / "stderr"); }
  [[nodiscard]] bool WaitForLog(const std::string& text,
                                std::chrono::milliseconds timeout = std::chrono::seconds(30));

 private:
  TempFolder folder_;
  Process process_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_PGTEAL_PROCESS_H_
