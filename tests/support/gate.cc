#include "tests/support/gate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <system_error>

#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

constexpr int kToServer = 0;
constexpr int kToClient = 1;
constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kQueueBytesMax = 4 << 20;  // per way; more waits in the sender's socket
// Of the socket, and of the queue per way, while the rate is limited.
constexpr int kSlowWindowBytes = 256 << 10;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

void Check(bool is_good, const char* what) {
  if (!is_good) throw std::system_error(errno, std::generic_category(), what);
}

template <typename Address>
int Listen(int family, Address address) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  Check(fd >= 0, "socket");
  Check(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  Check(listen(fd, SOMAXCONN) == 0, "listen");
  return fd;
}

int PortOf(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  Check(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
  return ntohs(address.sin_port);
}

// -1 when nobody listens there.
int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // fails on a Unix socket: no matter
}

}  // namespace

Gate::Gate(const PgCluster& server) : server_port_(server.port()), folder_("gate") {
  listeners_[0] = Listen(AF_INET, Loopback(0));
  port_ = PortOf(listeners_[0]);
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  const std::string name = (folder_ / (".s.PGSQL." + std::to_string(port_))).string();
  std::strncpy(path.sun_path, name.c_str(), sizeof(path.sun_path) - 1);
  listeners_[1] = Listen(AF_UNIX, path);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Check(wake_fd_ >= 0, "eventfd");
  thread_ = std::thread([this] { Loop(); });
}

Gate::~Gate() {
  ends_ = true;
  Wake();
  thread_.join();
  for (Link& link : links_) Close(link);
  for (const int fd : {listeners_[0], listeners_[1], wake_fd_}) close(fd);
}

std::string Gate::ConnInfo(const std::string& dbname) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " user=postgres dbname=" + dbname;
}

std::string Gate::UnixConnInfo(const std::string& dbname) const {
  return "host=" + folder_.path().string() + " port=" + std::to_string(port_) +
         " user=postgres dbname=" + dbname;
}

void Gate::Pass() {
  const std::lock_guard lock(mutex_);
  rules_ = Rules{};
  Wake();
}

void Gate::Stop() {
  const std::lock_guard lock(mutex_);
  rules_.stopped = true;
  Wake();
}

void Gate::Delay(std::chrono::milliseconds delay) {
  const std::lock_guard lock(mutex_);
  rules_.delay = delay;
}

void Gate::LimitBytesPerSecond(uint64_t bytes) {
  // Else the kernel takes ten megabytes at once, and whoever sends them believes they are there.
  const int window = kSlowWindowBytes;
  setsockopt(listeners_[0], SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
  const std::lock_guard lock(mutex_);
  rules_.bytes_per_second = bytes;
  Wake();
}

void Gate::CutNow() {
  const std::lock_guard lock(mutex_);
  for (Link& link : links_) {
    if (link.state == State::kOpen) ++cuts_;
    Close(link);
  }
  Wake();
}

void Gate::Refuse(bool refuse) {
  const std::lock_guard lock(mutex_);
  rules_.refuse = refuse;
}

void Gate::CutAfterBytes(uint64_t bytes, Way way) {
  const std::lock_guard lock(mutex_);
  rules_.cut_after[way == Way::kToServer ? kToServer : kToClient] = bytes;
}

void Gate::CutOn(const std::string& text, Where where, int nth) {
  const std::lock_guard lock(mutex_);
  rules_.cut_on = text;
  rules_.cut_where = where;
  rules_.cut_nth = nth;
  for (Link& link : links_) link.tail.clear();  // only what is sent from now on counts
}

void Gate::Corrupt(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  rules_.corrupt_from = from;
  rules_.corrupt_to = to;
}

bool Gate::WaitForCuts(uint64_t count, std::chrono::milliseconds timeout) const {
  return WaitUntil([&] { return cuts() >= count; }, timeout);
}

void Gate::Loop() {
  std::vector<pollfd> set;
  std::vector<Interest> interests;
  while (!ends_) {
    const int timeout_ms = PollAll(set, interests);
    poll(set.data(), set.size(), timeout_ms);
    Serve(set, interests);
  }
}

// Fills the poll set with what may move now; returns how long to wait for what may move later.
int Gate::PollAll(std::vector<pollfd>& set, std::vector<Interest>& interests) {
  const std::lock_guard lock(mutex_);
  RefillAllowance();
  set.assign(1, {wake_fd_, POLLIN, 0});
  interests.clear();
  if (rules_.stopped) return -1;
  for (const int listener : listeners_) set.push_back({listener, POLLIN, 0});
  bool has_later = false;
  const size_t queue_bytes_max = rules_.bytes_per_second > 0 ? kSlowWindowBytes : kQueueBytesMax;
  for (Link& link : links_) {
    for (const int way : {kToServer, kToClient}) {
      const Stream& stream = link.streams[way];
      const int sender = link.fds[1 - way];
      if (sender >= 0 && !stream.at_end && stream.queued_bytes < queue_bytes_max) {
        set.push_back({sender, POLLIN, 0});
        interests.push_back({&link, way, true});
      }
      if (link.fds[way] < 0 || stream.queue.empty()) continue;
      if (MaySend(stream, way)) {
        set.push_back({link.fds[way], POLLOUT, 0});
        interests.push_back({&link, way, false});
      } else {
        has_later = true;
      }
    }
  }
  return has_later ? 1 : -1;
}

void Gate::Serve(const std::vector<pollfd>& set, const std::vector<Interest>& interests) {
  const std::lock_guard lock(mutex_);
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t woken = read(wake_fd_, &ignored, sizeof(ignored));
  if (rules_.stopped) return;
  const size_t first = set.size() - interests.size();
  for (size_t i = 0; i < interests.size(); ++i) {
    const Interest& at = interests[i];
    if (set[first + i].revents == 0 || at.link->state == State::kClosed) continue;
    if (at.is_read) {
      Read(*at.link, at.way);
    } else {
      Send(*at.link, at.way);
    }
  }
  for (Link& link : links_) Settle(link);
  links_.remove_if([](const Link& link) { return link.state == State::kClosed; });
  for (size_t i = 1; i < first; ++i) {
    if (set[i].revents != 0) AcceptFrom(set[i].fd);
  }
}

void Gate::AcceptFrom(int listener) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  const int server = rules_.refuse ? -1 : ConnectTo(server_port_);
  if (server < 0) {
    close(client);
    return;
  }
  SetNoDelay(client);
  SetNoDelay(server);
  Link& link = links_.emplace_back();
  link.fds[kToServer] = server;
  link.fds[kToClient] = client;
  ++connections_;
}

void Gate::Read(Link& link, int way) {
  if (link.fds[1 - way] < 0) return;
  static thread_local char buffer[kReadBytes];
  const ssize_t got = recv(link.fds[1 - way], buffer, sizeof(buffer), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return Close(link);
  if (got == 0) {
    link.streams[way].at_end = true;
    return;
  }
  Take(link, way, {buffer, static_cast<size_t>(got)});
}

void Gate::Take(Link& link, int way, std::string_view bytes) {
  if (link.state == State::kSwallow && way == kToClient) return;
  if (link.state == State::kCutWhenSent) return;
  ApplyCuts(link, way, bytes);
  if (bytes.empty()) return;
  Stream& stream = link.streams[way];
  std::string forwarded(bytes);
  if (way == kToClient) ApplyCorruption(&forwarded);
  stream.queue.push_back({Clock::now() + rules_.delay, std::move(forwarded)});
  stream.queued_bytes += bytes.size();
}

// A server sends one message at a time here, so what is looked for lies in one piece.
void Gate::ApplyCorruption(std::string* bytes) const {
  if (rules_.corrupt_from.empty()) return;
  for (size_t at = bytes->find(rules_.corrupt_from); at != std::string::npos;
       at = bytes->find(rules_.corrupt_from, at + 1)) {
    bytes->replace(at, rules_.corrupt_from.size(), rules_.corrupt_to);
  }
}

// May shorten what is forwarded, and marks the link for its end.
void Gate::ApplyCuts(Link& link, int way, std::string_view& bytes) {
  std::optional<uint64_t>& left = rules_.cut_after[way];
  if (left && bytes.size() >= *left) {
    bytes = bytes.substr(0, *left);
    left.reset();
    link.state = State::kCutWhenSent;
    return;
  }
  if (left) *left -= bytes.size();
  if (way != kToServer || rules_.cut_on.empty()) return;

  const std::string text = link.tail + std::string(bytes);
  const size_t overlap = link.tail.size();
  size_t next = 0;
  while (true) {
    const size_t at = text.find(rules_.cut_on, next);
    if (at == std::string::npos) break;
    next = at + rules_.cut_on.size();
    if (--rules_.cut_nth > 0) continue;
    rules_.cut_on.clear();
    if (rules_.cut_where == Where::kBefore) {
      bytes = bytes.substr(0, at > overlap ? at - overlap : 0);
      link.state = State::kCutWhenSent;
    } else {
      link.state = State::kSwallow;
      CloseClient(link);
    }
    return;
  }
  const size_t keep = std::min(text.size() - next, rules_.cut_on.size() - 1);
  link.tail = text.substr(text.size() - keep);
}

void Gate::Send(Link& link, int way) {
  Stream& stream = link.streams[way];
  while (!stream.queue.empty() && link.fds[way] >= 0 && MaySend(stream, way)) {
    std::string& bytes = stream.queue.front().bytes;
    size_t count = bytes.size();
    if (rules_.bytes_per_second > 0) {
      // A share of it: else a link that always has more would leave nothing to those behind it.
      count = std::min(count, static_cast<size_t>(std::ceil(allowance_[way] / 2)));
    }
    const ssize_t sent = send(link.fds[way], bytes.data(), count, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) Close(link);
      return;
    }
    const auto done = static_cast<size_t>(sent);
    bytes_[way] += done;
    stream.queued_bytes -= done;
    if (rules_.bytes_per_second > 0) allowance_[way] -= static_cast<double>(done);
    bytes.erase(0, done);
    if (bytes.empty()) stream.queue.pop_front();
    if (rules_.bytes_per_second > 0) return;
  }
}

// Ends what is to end once its bytes are out.
void Gate::Settle(Link& link) {
  if (link.state == State::kClosed) return;
  for (const int way : {kToServer, kToClient}) {
    Stream& stream = link.streams[way];
    if (stream.at_end && stream.queue.empty() && !stream.is_shut && link.fds[way] >= 0) {
      shutdown(link.fds[way], SHUT_WR);
      stream.is_shut = true;
    }
  }
  const bool all_sent = link.streams[0].queue.empty() && link.streams[1].queue.empty();
  if (link.state == State::kCutWhenSent && all_sent) {
    ++cuts_;
    return Close(link);
  }
  const bool server_done = link.streams[kToClient].at_end;
  if (link.state == State::kSwallow ? server_done
                                    : server_done && link.streams[kToServer].at_end && all_sent) {
    Close(link);
  }
}

void Gate::Close(Link& link) {
  for (int& fd : link.fds) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  link.state = State::kClosed;
}

void Gate::CloseClient(Link& link) {
  close(link.fds[kToClient]);
  link.fds[kToClient] = -1;
  link.streams[kToClient].queue.clear();
  link.streams[kToServer].at_end = true;
  ++cuts_;
}

void Gate::RefillAllowance() {
  const Clock::time_point now = Clock::now();
  const std::chrono::duration<double> passed = now - refilled_;
  refilled_ = now;
  const auto rate = static_cast<double>(rules_.bytes_per_second);
  for (double& allowance : allowance_) {
    allowance = std::min(allowance + passed.count() * rate, std::max(rate / 10, 1.0));
  }
}

bool Gate::MaySend(const Stream& stream, int way) const {
  return stream.queue.front().due <= Clock::now() &&
         (rules_.bytes_per_second == 0 || allowance_[way] >= 1);
}

void Gate::Wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

}  // namespace pgteal::tests
