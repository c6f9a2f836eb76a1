#include "tests/support/pg_cluster.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

constexpr int kDebianMajor = 15;
constexpr int kFirstPort = 12000;  // well below Linux' ephemeral range (32768 on)
constexpr int kLastPort = 31999;
constexpr int kPortAttempts = 20;

std::filesystem::path ServersFolder() {
  if (const char* folder = std::getenv("PGTEAL_SERVERS")) return folder;
  if (geteuid() == 0) return "/var/cache/pgteal/servers";
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) {
    return std::filesystem::path(cache) / "pgteal/servers";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/" : home) / ".cache/pgteal/servers";
}

bool IsPortFree(int port) {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool is_free = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(probe);
  return is_free;
}

Settings Defaults() {
  return {{"listen_addresses", "127.0.0.1"},
          {"wal_level", "logical"},
          {"fsync", "off"},
          // Goes with the data folder: a server that is killed leaves the segments of the others.
          {"dynamic_shared_memory_type", "mmap"},
          {"full_page_writes", "off"},
          {"shared_buffers", "64MB"},
          {"max_wal_senders", "20"},
          {"max_replication_slots", "20"},
          {"max_prepared_transactions", "20"},
          {"max_connections", "60"},
          {"min_wal_size", "64MB"},
          {"max_wal_size", "1GB"},
          {"timezone", "UTC"},
          {"log_timezone", "UTC"},
          {"jit", "off"},
          {"log_line_prefix", "%m [%p] %q%a "}};
}

// Data folders fresh from initdb, made by whoever needs one first: copying takes a fifth of what
// initdb does. The n-th cluster of a program gets the n-th, as each has a system identifier of its
// own. The binary's size stands for its version.
std::filesystem::path NextTemplate(int major, const std::filesystem::path& bin) {
  static std::map<int, int> count;
  const std::filesystem::path folder = ServersFolder() / "templates";
  std::filesystem::create_directories(folder);
  GiveTo(folder, ServerUser());
  return folder / (std::to_string(major) + "-" +
                   std::to_string(std::filesystem::file_size(bin / "postgres")) + "-" +
                   std::to_string(++count[major]));
}

// $1 the template, $2 initdb, $3 the new data folder.
constexpr const char* kCopyTemplate =
    "set -e; exec 9> \"$1.lock\"; flock 9\n"
    "if [ ! -d \"$1\" ]; then\n"
    "  rm -rf \"$1.new\"\n"
    "  \"$2\" --pgdata=\"$1.new\" --username=postgres --auth=trust --no-sync --locale=C.UTF-8"
    " --encoding=UTF8\n"
    "  mv \"$1.new\" \"$1\"\n"
    "fi\n"
    "exec 9>&-; cp -a --reflink=auto \"$1\" \"$3\"";

std::vector<pid_t> ChildrenOf(pid_t parent) {
  const std::string id = std::to_string(parent);
  std::istringstream in(ReadFile("/proc/" + id + "/task/" + id + "/children"));
  std::vector<pid_t> children;
  for (pid_t child = 0; in >> child;) children.push_back(child);
  return children;
}

// Gone, or a zombie, which holds nothing and waits for whoever adopted it.
bool HasEnded(pid_t pid) {
  const std::string stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.compare(name_end, 3, ") Z") == 0;
}

}  // namespace

// Random, because other test programs choose at the same time.
int FreePort() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> pick(kFirstPort, kLastPort);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = pick(random);
    if (IsPortFree(port)) return port;
  }
  throw std::runtime_error("no free TCP port");
}

std::filesystem::path ServerBin(int major) {
  const std::string number = std::to_string(major);
  std::filesystem::path bin = ServersFolder() / number / "bin";
  if (major == kDebianMajor) bin = "/usr/lib/postgresql/" + number + "/bin";
  if (!std::filesystem::exists(bin / "postgres")) {
    throw std::runtime_error("no PostgreSQL " + number + " in " + bin.string() +
                             ": run tools/setup");
  }
  return bin;
}

std::filesystem::path ClientProgram(const std::string& name) {
  return ServerBin(kDebianMajor) / name;
}

PgCluster::PgCluster(int major, Settings settings)
    : major_(major),
      bin_(ServerBin(major)),
      settings_(std::move(settings)),
      folder_("pg" + std::to_string(major), ServerUser()) {
  settings_.merge(Defaults());
  initdb_ = std::make_unique<Process>(
      ProcessOptions{.argv = {"/bin/sh", "-c", kCopyTemplate, "sh", NextTemplate(major, bin_),
                              bin_ / "initdb", data_folder()},
                     .env = {{"LC_ALL", "C.UTF-8"}},
                     .stdout_path = folder_ / "initdb.log",
                     .user = ServerUser()});
}

PgCluster::~PgCluster() {
  if (postmaster_ && postmaster_->IsRunning()) Kill9();
  if (const auto segment = shared_memory_id()) shmctl(*segment, IPC_RMID, nullptr);
}

void PgCluster::Start() {
  Launch();
  WaitReady();
}

void PgCluster::Launch() {
  FinishInitdb();
  if (port_ == 0) port_ = FreePort();
  WriteSettings();
  postmaster_ = std::make_unique<Process>(
      ProcessOptions{.argv = {bin_ / "postgres", "-D", data_folder()},
                     // Symbols are resolved once, not again by each of thousands of backends, whose
                     // memory comes in large pages and is not returned in between: a fifth of
                     // their page faults less.
                     .env = {{"LC_ALL", "C.UTF-8"},
                             {"LD_BIND_NOW", "1"},
                             {"GLIBC_TUNABLES",
                              "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:"
                              "glibc.malloc.trim_threshold=134217728"}},
                     .stdout_path = folder_ / "server.log",
                     .user = ServerUser(),
                     .death_signal = SIGQUIT});  // immediate shutdown: takes the children along
}

void PgCluster::WaitReady() {
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    const bool settled =
        WaitUntil([this] { return HasReadyMark() || !postmaster_->IsRunning(); }, seconds(60));
    if (!settled) Fail("not ready after 60 s");
    if (postmaster_->IsRunning()) {
      was_ready_ = true;
      return;
    }
    // Somebody took the port between our probe and the server's bind; a known port is kept, as
    // clients were told of it.
    if (was_ready_ || Log().find("Address already in use") == std::string::npos) break;
    port_ = 0;
    Launch();
  }
  Fail("ended while starting");
}

void PgCluster::Stop(StopMode mode) {
  if (!IsRunning()) return;
  const int signal = mode == StopMode::kFast ? SIGINT : SIGQUIT;
  postmaster_->Kill(signal);
  if (!postmaster_->Wait(seconds(60))) Fail("did not stop in 60 s");
  postmaster_.reset();
}

void PgCluster::Restart(StopMode mode) {
  Stop(mode);
  Start();
}

void PgCluster::Kill9() {
  // Stopped first, or it could fork between our look and our kill.
  postmaster_->Kill(SIGSTOP);
  const std::vector<pid_t> children = ChildrenOf(postmaster_->pid());
  postmaster_->Kill(SIGKILL);
  for (const pid_t child : children) kill(child, SIGKILL);
  postmaster_->Wait(seconds(60));
  postmaster_.reset();
  // The next start refuses while any of them still holds the shared memory.
  const auto all_ended = [&children] {
    return std::all_of(children.begin(), children.end(), HasEnded);
  };
  if (!WaitUntil(all_ended, seconds(60))) Fail("processes survive SIGKILL");
}

void PgCluster::Freeze() {
  postmaster_->Kill(SIGSTOP);
  for (const pid_t child : ChildrenOf(postmaster_->pid())) kill(child, SIGSTOP);
}

void PgCluster::Thaw() {
  for (const pid_t child : ChildrenOf(postmaster_->pid())) kill(child, SIGCONT);
  postmaster_->Kill(SIGCONT);
}

bool PgCluster::IsRunning() { return postmaster_ && postmaster_->IsRunning(); }

void PgCluster::Set(const std::string& name, const std::string& value) {
  settings_[name] = value;
  WriteSettings();
}

void PgCluster::Reload() { admin().Exec("SELECT pg_reload_conf()"); }

Sql& PgCluster::admin() {
  if (!admin_ || !admin_->IsAlive()) admin_.emplace(ConnInfo());
  return *admin_;
}

std::string PgCluster::ConnInfo(const std::string& dbname) const {
  return "host=" + socket_folder().string() + " port=" + std::to_string(port_) +
         " user=postgres dbname=" + dbname;
}

std::string PgCluster::TcpConnInfo(const std::string& dbname) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " user=postgres dbname=" + dbname;
}

void PgCluster::FinishInitdb() {
  if (!initdb_) return;
  const auto status = initdb_->Wait(seconds(120));
  if (!status || status->code != 0) {
    throw std::runtime_error("initdb failed:\n" + ReadFile(folder_ / "initdb.log"));
  }
  initdb_.reset();
  std::ofstream hba(data_folder() / "pg_hba.conf", std::ios::trunc);
  hba << "local all,replication all trust\nhost all,replication all 127.0.0.1/32 trust\n";
}

void PgCluster::WriteSettings() const {
  std::ofstream conf(data_folder() / "postgresql.conf", std::ios::trunc);
  conf << "port = " << port_ << "\nunix_socket_directories = '" << socket_folder().string()
       << "'\n";
  for (const auto& [name, value] : settings_) {
    conf << name << " = '";
    for (const char c : value) conf << (c == '\'' ? "''" : std::string(1, c));
    conf << "'\n";
  }
}

// The seventh line of postmaster.pid: key and id. Who is killed leaves file and segment, and a
// machine has 4,096 of those.
std::optional<int> PgCluster::shared_memory_id() const {
  std::istringstream in(ReadFile(data_folder() / "postmaster.pid"));
  std::string line;
  for (int number = 0; number < 7; ++number) {
    if (!std::getline(in, line)) return std::nullopt;
  }
  std::istringstream words(line);
  uint64_t key = 0;
  int id = 0;
  if (!(words >> key >> id)) return std::nullopt;
  return id;
}

// The postmaster writes its pid to the first line of postmaster.pid and its state to the eighth.
bool PgCluster::HasReadyMark() const {
  std::istringstream in(ReadFile(data_folder() / "postmaster.pid"));
  std::string line;
  if (!std::getline(in, line) || line != std::to_string(postmaster_->pid())) return false;
  for (int skipped = 0; skipped < 7; ++skipped) {
    if (!std::getline(in, line)) return false;
  }
  return line.starts_with("ready");
}

void PgCluster::Fail(const std::string& what) const {
  std::string log = Log();
  constexpr size_t kTailBytes = 4000;
  if (log.size() > kTailBytes) log.erase(0, log.size() - kTailBytes);
  throw std::runtime_error("PostgreSQL " + std::to_string(major_) + " " + what + "\n" + log);
}

}  // namespace pgteal::tests
