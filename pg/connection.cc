#include "pg/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <future>
#include <memory>
#include <thread>

#include "pg/error.h"
#include "pg/safe_message.h"

namespace pgteal::pg {
namespace {

using std::chrono::milliseconds;

// How long one connection attempt may take when connect_timeout does not say.
constexpr int kConnectTimeoutSeconds = 15;
// A living server takes a cancel request within this time.
constexpr milliseconds kCancelPatience{1000};
// What PgBouncer, which translates nothing, says of settings that it could not keep for a session.
// libpq knows no SQLSTATE of a connection that failed.
constexpr std::string_view kPoolerRefuses = "unsupported startup parameter";
constexpr const char* kConnectDirectly =
    "Connect to the server directly: connection poolers change session settings.";
// The first with this setting.
constexpr int kTransactionTimeoutVersion = 170000;

// Sent in the startup packet, which beats ALTER ROLE/DATABASE … SET. All exist since version 14.
constexpr std::array<std::pair<const char*, const char*>, 20> kPinned = {{
    {"client_encoding", "UTF8"},
    {"search_path", ""},
    {"datestyle", "ISO"},
    {"intervalstyle", "postgres"},
    {"extra_float_digits", "3"},
    {"bytea_output", "hex"},
    {"lc_monetary", "C"},
    {"timezone", "UTC"},
    {"xmloption", "content"},
    {"array_nulls", "on"},
    {"standard_conforming_strings", "on"},
    {"row_security", "off"},
    {"statement_timeout", "0"},
    {"lock_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"idle_session_timeout", "0"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"default_transaction_deferrable", "off"},
    {"client_min_messages", "warning"},
}};

// Backslash and space separate in "options" (PostgreSQL docs, libpq: options).
std::string EscapeOption(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string StartupOptions(const ConnInfo& info, const SessionOptions& options) {
  std::string text = info.Get("options");
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += fmt::format("{}-c {}={}", text.empty() ? "" : " ", name, EscapeOption(value));
  };
  for (const auto& [name, value] : kPinned) add(name, value);
  for (const auto& [name, value] : options.settings) add(name, value);
  return text;
}

ConnInfo WithDefaults(ConnInfo info, const SessionOptions& options) {
  if (!options.is_console) info.Set("options", StartupOptions(info, options));
  info.Set("application_name", options.application_name);
  if (options.replication) info.Set("replication", "database");
  // A peer that vanished without a word is noticed in about half a minute.
  info.SetDefault("keepalives_idle", "10");
  info.SetDefault("keepalives_interval", "5");
  info.SetDefault("keepalives_count", "4");
  info.SetDefault("tcp_user_timeout", "30000");
  return info;
}

int ConnectTimeoutSeconds(const ConnInfo& info) {
  const std::string text = info.Get("connect_timeout");
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return seconds > 0 ? seconds : kConnectTimeoutSeconds;
}

std::string FirstLine(const char* message) {
  const std::string_view text(message);
  return std::string(text.substr(0, text.find('\n')));
}

int MillisecondsUntil(const Deadline& deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(std::min<int64_t>(left, 1'000'000));
}

// datestyle answers "ISO, MDY".
bool IsSetting(std::string_view value, std::string_view wanted) {
  if (value.size() < wanted.size() ||
      strncasecmp(value.data(), wanted.data(), wanted.size()) != 0) {
    return false;
  }
  const std::string_view rest = value.substr(wanted.size());
  return rest.empty() || (!wanted.empty() && rest.starts_with(", "));
}

void DropNotice(void*, const PGresult*) {}

// libpq waits until the server has closed the request's own connection, which one that is frozen or
// out of reach never does. The request outlives us then, on its thread.
void SendCancel(PGcancel* request) {
  const std::shared_ptr<PGcancel> cancel(request, &PQfreeCancel);
  std::promise<void> sent;
  const auto is_sent = sent.get_future();
  std::thread([cancel, sent = std::move(sent)]() mutable {
    std::array<char, 256> message{};
    PQcancel(cancel.get(), message.data(), message.size());
    sent.set_value();
  }).detach();
  is_sent.wait_for(kCancelPatience);
}

}  // namespace

void Connection::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Connection::Connection(const ConnInfo& info, const SessionOptions& options)
    : interrupt_(options.interrupt), description_(info.Describe()) {
  Connect(WithDefaults(info, options));
  if (options.is_console) return;
  SetUpSession(info, options);
}

void Connection::Connect(const ConnInfo& info) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : info.settings()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (!connection_) throw ConnectionLost("out of memory for a connection");
  const auto deadline = Clock::now() + std::chrono::seconds(ConnectTimeoutSeconds(info));
  auto state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED || PQstatus(get()) == CONNECTION_BAD) {
      const std::string why = FirstLine(PQerrorMessage(get()));
      const std::string what = fmt::format("cannot connect to {}: {}", description_, why);
      if (why.find(kPoolerRefuses) != why.npos) throw Refused(what, kConnectDirectly);
      throw ConnectionLost(what);
    }
    if (Wait(state == PGRES_POLLING_WRITING, deadline) == Ready::kTimeout) {
      throw ConnectionLost(fmt::format("cannot connect to {}: no answer in time", description_));
    }
    state = PQconnectPoll(get());
  }
  PQsetnonblocking(get(), 1);
  // NOTICEs may quote row values and may come by the thousand.
  PQsetNoticeReceiver(get(), &DropNotice, nullptr);
}

// A timeout shorter than the statement that ends it takes leaves the startup packet of a second
// attempt.
void Connection::SetUpSession(const ConnInfo& info, SessionOptions options) {
  if (server_version() < 140000) {
    throw Refused(fmt::format("{} is PostgreSQL {}; versions before 14 are not supported",
                              description_, server_version() / 10000));
  }
  // Asked now: a lost connection knows of no version.
  const bool has_transaction_timeout = server_version() >= kTransactionTimeoutVersion;
  Result settings;
  try {
    settings = ReadSettings();
  } catch (const ConnectionLost&) {
    if (!has_transaction_timeout) throw;
    options.settings.emplace_back("transaction_timeout", "0");
    Connect(WithDefaults(info, options));
    settings = ReadSettings();
  }
  for (size_t i = 0; i < kPinned.size(); ++i) {
    const auto& [name, wanted] = kPinned[i];
    if (IsSetting(settings.Text(0, static_cast<int>(i)), wanted)) continue;
    throw Refused(
        fmt::format("{} does not take the setting {} in the startup packet", description_, name),
        kConnectDirectly);
  }
  // A database of no encoding holds bytes of any, which its server would hold to be UTF-8 for us.
  const char* encoding = PQparameterStatus(get(), "server_encoding");
  if (encoding != nullptr && std::string_view(encoding) == "SQL_ASCII") {
    Exec("SET client_encoding = 'SQL_ASCII'");
  }
}

// Those of the startup packet, as the server has them. One round trip also ends the timeout that
// servers before 17 would refuse in the startup packet.
Result Connection::ReadSettings() {
  std::string sql =
      server_version() < kTransactionTimeoutVersion ? "" : "SET transaction_timeout = 0; ";
  for (const auto& [name, value] : kPinned) {
    sql += fmt::format("{}pg_catalog.current_setting('{}')",
                       name == kPinned.front().first ? "SELECT " : ", ", name);
  }
  return Exec(sql);
}

void Connection::HandOver(const std::string& application_name, const Interrupt* interrupt) {
  interrupt_ = interrupt;
  Exec("SELECT set_config('application_name', $1, false), pg_advisory_unlock_all()",
       {application_name});
}

void Connection::EnlargeInputBuffer() {
  constexpr int kBytes = 512 << 10;
  Exec(fmt::format("SELECT pg_catalog.repeat('x', {})", kBytes));
}

int Connection::server_version() const { return PQserverVersion(get()); }
int Connection::backend_pid() const { return PQbackendPID(get()); }
bool Connection::in_transaction() const { return PQtransactionStatus(get()) != PQTRANS_IDLE; }
bool Connection::is_broken() const { return PQstatus(get()) != CONNECTION_OK; }

Result Connection::Exec(const std::string& sql, Deadline deadline) {
  if (PQsendQuery(get(), sql.c_str()) != 1) ThrowLost();
  return Await(deadline);
}

Result Connection::Exec(const std::string& sql, const TextParams& params, Deadline deadline) {
  SendQuery(sql, params);
  return Await(deadline);
}

std::vector<Result> Connection::ExecTogether(const std::vector<Query>& queries) {
  if (PQenterPipelineMode(get()) != 1) ThrowLost();
  for (const auto& query : queries) SendQuery(query.sql, query.params);
  if (PQpipelineSync(get()) != 1) ThrowLost();
  Flush();
  std::vector<Result> results;
  Result failed;
  bool is_query_over = false;
  while (true) {
    Result next = NextResult(std::nullopt);
    if (next.get() == nullptr) {
      if (std::exchange(is_query_over, true)) ThrowLost();
      continue;
    }
    is_query_over = false;
    const auto status = PQresultStatus(next.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status != PGRES_FATAL_ERROR) {
      results.push_back(std::move(next));
    } else if (failed.get() == nullptr) {
      failed = std::move(next);
    }
  }
  if (PQexitPipelineMode(get()) != 1) ThrowLost();
  if (failed.get() != nullptr) ThrowIfError(failed);
  return results;
}

void Connection::SendQuery(const std::string& sql, const TextParams& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
  if (PQsendQueryParams(get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                        nullptr, nullptr, 0) != 1) {
    ThrowLost();
  }
}

Result Connection::Await(Deadline deadline) {
  const auto sent_at = Clock::now();
  Flush();
  Result last;
  Result failed;
  while (true) {
    Result next = NextResult(deadline);
    if (next.get() == nullptr) break;
    const auto status = PQresultStatus(next.get());
    // A COPY or replication stream begins: its owner goes on from here.
    const bool is_copy =
        status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
    if (status == PGRES_FATAL_ERROR && failed.get() == nullptr) {
      failed = std::move(next);
    } else {
      last = std::move(next);
    }
    if (is_copy) break;
  }
  if (failed.get() != nullptr) ThrowIfError(failed);
  if (last.get() == nullptr) ThrowLost();
  shortest_answer_ =
      std::min(shortest_answer_,
               std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent_at));
  return last;
}

Result Connection::NextResult(Deadline deadline) {
  while (PQisBusy(get()) == 1) {
    if (Wait(false, deadline) == Ready::kTimeout) {
      Cancel();
      throw ConnectionLost(fmt::format("{} did not answer in time", description_));
    }
    if (PQconsumeInput(get()) != 1) ThrowLost();
  }
  return Result(PQgetResult(get()));
}

void Connection::Flush() {
  while (true) {
    const int left = PQflush(get());
    if (left == 0) return;
    if (left < 0) ThrowLost();
    if (Wait(true, std::nullopt) == Ready::kReadable && PQconsumeInput(get()) != 1) ThrowLost();
  }
}

Connection::Ready Connection::Wait(bool for_write, Deadline deadline) {
  std::array<pollfd, 2> fds = {{
      {PQsocket(get()), static_cast<short>(POLLIN | (for_write ? POLLOUT : 0)), 0},
      {interrupt_ == nullptr ? -1 : interrupt_->fd(), POLLIN, 0},
  }};
  while (true) {
    const int ready = poll(fds.data(), fds.size(), MillisecondsUntil(deadline));
    if (ready < 0 && errno != EINTR) throw ConnectionLost("poll() failed on a connection");
    if (fds[1].revents != 0 && ready > 0) {
      Cancel();
      throw Interrupted();
    }
    if (ready == 0) return Ready::kTimeout;
    if (ready < 0) continue;
    return (fds[0].revents & POLLIN) != 0 ? Ready::kReadable : Ready::kWritable;
  }
}

Connection::Readable Connection::WaitWith(bool reads, const Connection& other, bool writes) {
  std::array<pollfd, 3> fds = {{
      {PQsocket(get()), static_cast<short>(reads ? POLLIN : 0), 0},
      {PQsocket(other.get()), static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0},
      {interrupt_ == nullptr ? -1 : interrupt_->fd(), POLLIN, 0},
  }};
  int ready = 0;
  while ((ready = poll(fds.data(), fds.size(), -1)) < 0) {
    if (errno != EINTR) throw ConnectionLost("poll() failed on two connections");
  }
  if (fds[2].revents != 0) {
    Cancel();
    throw Interrupted();
  }
  return {.own = reads && fds[0].revents != 0, .other = (fds[1].revents & ~POLLOUT) != 0};
}

void Connection::Cancel() noexcept {
  // So that a statement that waits for a lock does not hold our locks after we are gone.
  if (!connection_ || PQtransactionStatus(get()) != PQTRANS_ACTIVE) return;
  try {
    if (PGcancel* request = PQgetCancel(get())) SendCancel(request);
  } catch (const std::exception&) {
    // No thread to be had: the server notices by itself that we are gone.
  }
}

void Connection::ThrowLost() const {
  throw ConnectionLost(
      fmt::format("connection to {} lost: {}", description_, FirstLine(PQerrorMessage(get()))));
}

void Connection::ThrowIfError(const Result& result) const {
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE) return;
  ServerErrorFields fields = SafeFields(result.get());
  // Errors that libpq makes itself (the socket broke) carry no SQLSTATE.
  if (fields.sqlstate.empty()) ThrowLost();
  throw ServerError(std::move(fields));
}

}  // namespace pgteal::pg
