#include "tests/support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "tests/support/temp_folder.h"

extern char** environ;

namespace pgteal::tests {
namespace {

[[noreturn]] void ThrowErrno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// Everything a child needs between fork and exec, prepared before the fork: in there only
// async-signal-safe calls are allowed.
struct Launch {
  std::vector<std::string> argv_text;
  std::vector<std::string> env_text;
  std::vector<char*> argv;
  std::vector<char*> env;
  uid_t uid = 0;
  gid_t gid = 0;
  bool change_user = false;
  int death_signal = SIGKILL;
  int out = -1;
  int err = -1;
  int report = -1;  // close-on-exec: carries errno back when exec fails
  pid_t parent = 0;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> MergedEnv(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (extra.count(text.substr(0, text.find('='))) == 0) merged.push_back(text);
  }
  for (const auto& [name, value] : extra) {
    if (!value.empty()) merged.push_back(name + "=" + value);
  }
  return merged;
}

int OpenOutput(const std::filesystem::path& path) {
  const char* name = path.empty() ? "/dev/null" : path.c_str();
  const int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
  if (fd < 0) ThrowErrno(errno, std::string("open ") + name);
  return fd;
}

// In the child. Returns errno of what failed.
int Become(const Launch& launch) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) signal(number, SIG_DFL);
  const int in = open("/dev/null", O_RDONLY);
  if (dup2(in, 0) < 0 || dup2(launch.out, 1) < 0 || dup2(launch.err, 2) < 0) return errno;
  if (launch.change_user) {
    if (setgroups(0, nullptr) != 0 || setgid(launch.gid) != 0 || setuid(launch.uid) != 0 ||
        chdir("/") != 0) {
      return errno;
    }
  }
  // After the change of user, which clears it.
  prctl(PR_SET_PDEATHSIG, launch.death_signal);
  if (getppid() != launch.parent) return ESRCH;
  execvpe(launch.argv[0], launch.argv.data(), launch.env.data());
  return errno;
}

pid_t Fork(const Launch& launch) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int error = Become(launch);
  [[maybe_unused]] const ssize_t written = write(launch.report, &error, sizeof(error));
  _exit(127);
}

// The thread that forks for everybody and never ends.
class Forker {
 public:
  static Forker& Get() {
    static auto* const forker = new Forker;  // never destroyed: its thread runs until exit
    return *forker;
  }

  pid_t Start(const Launch& launch) {
    std::packaged_task<pid_t()> task([&launch] { return Fork(launch); });
    std::future<pid_t> pid = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
    return pid.get();
  }

 private:
  Forker() {
    std::thread([this] { Loop(); }).detach();
  }

  void Loop() {
    while (true) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      std::packaged_task<pid_t()> task = std::move(tasks_.back());
      tasks_.pop_back();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::packaged_task<pid_t()>> tasks_;
};

Launch Prepare(const ProcessOptions& options) {
  Launch launch;
  launch.argv_text = options.argv;
  launch.env_text = MergedEnv(options.env);
  launch.death_signal = options.death_signal;
  launch.parent = getpid();
  if (!options.user.empty()) {
    const passwd* account = getpwnam(options.user.c_str());
    if (account == nullptr) throw std::runtime_error("no such account: " + options.user);
    launch.change_user = true;
    launch.uid = account->pw_uid;
    launch.gid = account->pw_gid;
  }
  launch.out = OpenOutput(options.stdout_path);
  launch.err = options.stderr_path.empty() ? dup(launch.out) : OpenOutput(options.stderr_path);
  return launch;
}

ExitStatus StatusFrom(int raw, const rusage& usage) {
  ExitStatus status;
  if (WIFEXITED(raw)) status.code = WEXITSTATUS(raw);
  if (WIFSIGNALED(raw)) status.signal = WTERMSIG(raw);
  status.peak_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  status.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return status;
}

}  // namespace

Process::Process(const ProcessOptions& options) {
  Launch launch = Prepare(options);
  launch.argv = Pointers(launch.argv_text);
  launch.env = Pointers(launch.env_text);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) ThrowErrno(errno, "pipe2");
  launch.report = report[1];
  pid_ = Forker::Get().Start(launch);
  for (const int fd : {launch.out, launch.err, report[1]}) close(fd);
  int error = 0;
  const bool failed = read(report[0], &error, sizeof(error)) == sizeof(error);
  close(report[0]);
  if (pid_ < 0) ThrowErrno(EAGAIN, "fork");
  if (failed) {
    waitpid(pid_, nullptr, 0);
    ThrowErrno(error, "start " + options.argv.at(0));
  }
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));  // glibc 2.36's wrapper is C only
  if (pidfd_ < 0) ThrowErrno(errno, "pidfd_open");
}

Process::~Process() {
  kill(-pid_, SIGKILL);
  while (!Wait(std::chrono::seconds(60))) {
  }
  close(pidfd_);
}

bool Process::IsRunning() { return !Wait(std::chrono::milliseconds(0)).has_value(); }

void Process::Kill(int signal) {
  if (!status_) kill(pid_, signal);
}

std::optional<ExitStatus> Process::Wait(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  pollfd exited{pidfd_, POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const int ready = poll(&exited, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready == 1) break;
    if (ready == 0) return std::nullopt;
    if (errno != EINTR) ThrowErrno(errno, "poll");
  }
  int raw = 0;
  rusage usage{};
  if (wait4(pid_, &raw, 0, &usage) != pid_) ThrowErrno(errno, "wait4");
  status_ = StatusFrom(raw, usage);
  return status_;
}

uint64_t Process::PeakRssBytes() const {
  const std::string text = ReadFile("/proc/" + std::to_string(pid_) + "/status");
  const size_t at = text.find("VmHWM:");
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + std::strlen("VmHWM:"), nullptr, 10) * 1024;
}

ExitStatus RunToEnd(const ProcessOptions& options, std::chrono::milliseconds timeout) {
  Process process(options);
  if (const auto status = process.Wait(timeout)) return *status;
  process.Kill(SIGKILL);
  return process.Wait(std::chrono::seconds(60)).value_or(ExitStatus{});
}

}  // namespace pgteal::tests
