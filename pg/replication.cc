#include "pg/replication.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pg {
namespace {

// Up to this round trip a small window costs no throughput: 64 KiB a millisecond.
constexpr uint32_t kNearMicros = 1000;
constexpr int kNearWindowBytes = 64 * 1024;

SessionOptions AsReplication(SessionOptions options) {
  options.replication = true;
  return options;
}

// The replication grammar quotes like SQL but knows no E'' strings.
std::string PlainLiteral(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += c;
    out += c;
  }
  return out += '\'';
}

}  // namespace

ReplicationConnection::ReplicationConnection(const ConnInfo& info, const SessionOptions& options)
    : connection_(info, AsReplication(options)) {
  KeepWindowSmall();
}

ReplicationConnection::~ReplicationConnection() { PQfreemem(payload_); }

SystemIdentity ReplicationConnection::IdentifySystem() {
  const Result result = connection_.Exec("IDENTIFY_SYSTEM");
  return {.system_identifier = result.String(0, 0),
          .timeline = static_cast<uint32_t>(result.Int(0, 1)),
          .flush_lsn = result.LsnAt(0, 2),
          .database = result.String(0, 3)};
}

CreatedSlot ReplicationConnection::CreateSlot(const std::string& slot, bool temporary,
                                              bool export_snapshot, Deadline deadline) {
  // The old form of the options works from version 10 to today.
  const Result result =
      connection_.Exec(fmt::format("CREATE_REPLICATION_SLOT {} {}LOGICAL pgoutput {}",
                                   QuoteIdentifier(slot), temporary ? "TEMPORARY " : "",
                                   export_snapshot ? "EXPORT_SNAPSHOT" : "NOEXPORT_SNAPSHOT"),
                       deadline);
  return {.consistent_point = result.LsnAt(0, 1), .snapshot = result.String(0, 2)};
}

std::vector<std::pair<std::string, std::string>> PluginOptions(const StreamOptions& options) {
  std::vector<std::pair<std::string, std::string>> named = {
      {"proto_version", std::to_string(options.proto_version)},
      {"publication_names", QuoteIdentifier(options.publication)}};
  if (options.binary) named.emplace_back("binary", "true");
  if (options.streaming) named.emplace_back("streaming", "on");
  if (options.messages) named.emplace_back("messages", "true");
  if (options.origin_none) named.emplace_back("origin", "none");
  return named;
}

void ReplicationConnection::StartReplication(const StreamOptions& options, Lsn start) {
  std::string arguments;
  for (const auto& [name, value] : PluginOptions(options)) {
    arguments += fmt::format("{}{} {}", arguments.empty() ? "" : ", ", name, PlainLiteral(value));
  }
  const Result result =
      connection_.Exec(fmt::format("START_REPLICATION SLOT {} LOGICAL {} ({})",
                                   QuoteIdentifier(options.slot), start, arguments));
  if (PQresultStatus(result.get()) != PGRES_COPY_BOTH) {
    throw ProtocolError("the server did not begin streaming");
  }
}

ReplicationConnection::Received ReplicationConnection::TryReceive(std::string_view* payload) {
  PQfreemem(payload_);
  payload_ = nullptr;
  const int bytes = PQgetCopyData(connection_.get(), &payload_, 1);
  if (bytes > 0) {
    *payload = {payload_, static_cast<size_t>(bytes)};
    return Received::kMessage;
  }
  if (bytes == 0) return Received::kNothing;
  if (bytes == -2) connection_.ThrowLost();
  const Result result = connection_.NextResult(std::nullopt);
  if (result.get() != nullptr) connection_.ThrowIfError(result);
  return Received::kEnd;
}

bool ReplicationConnection::WaitReadable(Clock::time_point deadline, int wake_fd) {
  std::array<pollfd, 2> fds = {{{PQsocket(connection_.get()), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  const int ready = poll(fds.data(), fds.size(), left < 0 ? 0 : static_cast<int>(left));
  if (ready < 0 && errno != EINTR) throw ConnectionLost("poll() failed on the replication stream");
  return ready > 0;
}

void ReplicationConnection::ConsumeInput() {
  if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
}

bool ReplicationConnection::Send(std::string_view payload) {
  const int sent =
      PQputCopyData(connection_.get(), payload.data(), static_cast<int>(payload.size()));
  if (sent < 0) connection_.ThrowLost();
  const int left = PQflush(connection_.get());
  if (left < 0) connection_.ThrowLost();
  return sent == 1 && left == 0;
}

void ReplicationConnection::Stop() noexcept {
  if (connection_.is_broken()) return;
  PQputCopyEnd(connection_.get(), nullptr);
  PQflush(connection_.get());
}

// A walsender flushes every change. As long as our window is open each becomes a packet of its own;
// once it is full they collect in the sender's buffer and leave together. So to a near server the
// window is kept small. A far one needs a large window, and its packets collect in the network
// card. Set before data flows, since a window cannot be taken back once the sender has seen it.
void ReplicationConnection::KeepWindowSmall() {
  tcp_info info{};
  socklen_t size = sizeof info;
  const int socket = PQsocket(connection_.get());
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;  // a Unix socket
  if (info.tcpi_rtt > kNearMicros) return;
  setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kNearWindowBytes, sizeof kNearWindowBytes);
}

bool ReplicationConnection::is_unix_socket() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return getsockname(PQsocket(connection_.get()), reinterpret_cast<sockaddr*>(&address), &size) ==
             0 &&
         address.ss_family == AF_UNIX;
}

}  // namespace pgteal::pg
