#include "pipeline/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "pg/error.h"

extern char** environ;

namespace pgteal::pipeline {
namespace {

// Between asking a child to end and making it.
constexpr int kGraceMs = 5000;

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw pg::ConfigError("cannot make a pipe");
  }
  ~Pipe() {
    CloseWriter();
    close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

std::vector<std::string> Environment(const ChildOptions& options) {
  std::vector<std::string> all;
  for (const auto& [name, value] : options.env) all.push_back(name + "=" + value);
  const size_t own = all.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string prefix = text.substr(0, text.find('=') + 1);
    bool is_replaced = false;
    for (size_t i = 0; i < own; ++i) is_replaced |= all[i].starts_with(prefix);
    if (!is_replaced) all.push_back(text);
  }
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (auto& text : *strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t Spawn(const ChildOptions& options, const Pipe& out, const Pipe& err) {
  auto argv = options.argv;
  auto env = Environment(options);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.writer(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.writer(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A process group of its own: Ctrl-C on the terminal is ours to judge.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int failure = posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes,
                                   Pointers(&argv).data(), Pointers(&env).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw pg::ConfigError("cannot start " + options.argv[0]);
  return pid;
}

// False at the end of the pipe.
bool Drain(int fd, std::string* text) {
  std::array<char, 65536> buffer;
  const ssize_t bytes = read(fd, buffer.data(), buffer.size());
  if (bytes > 0) text->append(buffer.data(), static_cast<size_t>(bytes));
  return bytes > 0 || (bytes < 0 && errno == EINTR);
}

}  // namespace

ChildResult RunChild(const ChildOptions& options) {
  Pipe out;
  Pipe err;
  const pid_t pid = Spawn(options, out, err);
  out.CloseWriter();
  err.CloseWriter();
  ChildResult result;
  bool is_interrupted = false;
  const int interrupt_fd = options.interrupt == nullptr ? -1 : options.interrupt->fd();
  std::array<pollfd, 3> fds = {
      {{out.reader(), POLLIN, 0}, {err.reader(), POLLIN, 0}, {interrupt_fd, POLLIN, 0}}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const int ready = poll(fds.data(), fds.size(), is_interrupted ? kGraceMs : -1);
    if (ready < 0) continue;
    // The whole group: a shell's own children hold the pipes, too.
    if (ready == 0) kill(-pid, SIGKILL);
    if (fds[2].revents != 0) {
      is_interrupted = true;
      kill(-pid, SIGTERM);
      fds[2].fd = -1;
    }
    if (fds[0].revents != 0 && !Drain(fds[0].fd, &result.output)) fds[0].fd = -1;
    if (fds[1].revents != 0 && !Drain(fds[1].fd, &result.errors)) fds[1].fd = -1;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (is_interrupted) throw pg::Interrupted();
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace pgteal::pipeline
