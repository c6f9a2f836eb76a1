#ifndef PGTEAL_TESTS_SUPPORT_PROCESS_H_
#define PGTEAL_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgteal::tests {

struct ProcessOptions {
  std::vector<std::string> argv = {};           // argv[0] is looked up in PATH
  std::map<std::string, std::string> env = {};  // on top of ours; an empty value unsets
  std::filesystem::path stdout_path = {};       // appended to; empty: /dev/null
  std::filesystem::path stderr_path = {};       // empty: where stdout goes
  std::string user = {};                        // account to run as; empty: ours
  int death_signal = SIGKILL;                   // what the child gets when the test program dies
};

struct ExitStatus {
  int code = -1;   // exit code, or -1 when a signal ended it
  int signal = 0;  // the signal that ended it, or 0
  uint64_t peak_rss_bytes = 0;
  double cpu_seconds = 0;  // user and system
};

// A child process in a process group of its own. The destructor kills the group and reaps it, and
// the kernel ends it if the test program dies first, so nothing survives a test. Start it from any
// thread: the fork happens in one that lasts as long as the program, because the kernel's
// parent-death signal follows the thread that forked. Throws std::system_error if it cannot start.
class Process {
 public:
  explicit Process(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool IsRunning();
  // To the process, not to its group. Ignored once it has been reaped.
  void Kill(int signal);
  // The status, or nothing at the deadline.
  std::optional<ExitStatus> Wait(std::chrono::milliseconds timeout);
  // The high-water mark of a process that still runs; 0 when unknown.
  uint64_t PeakRssBytes() const;

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<ExitStatus> status_;
};

// Runs it to its end; killed at the deadline. For small tools.
ExitStatus RunToEnd(const ProcessOptions& options, std::chrono::milliseconds timeout);

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_PROCESS_H_
