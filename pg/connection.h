#ifndef PGTEAL_PG_CONNECTION_H_
#define PGTEAL_PG_CONNECTION_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pg/conninfo.h"
#include "pg/interrupt.h"
#include "pg/result.h"

struct pg_conn;  // libpq's PGconn; only pg/*.cc sees its definition

namespace pgteal::pg {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;  // none: wait as long as it takes

struct SessionOptions {
  std::string application_name = "pgteal";
  bool replication = false;  // a walsender session (replication=database)
  bool is_console = false;   // a pooler's admin console: it knows no settings, so none are pinned
  // Ends every wait of this connection; may be null. Borrowed.
  const Interrupt* interrupt = nullptr;
  // Further settings for the startup packet, on top of the pinned ones.
  std::vector<std::pair<std::string, std::string>> settings = {};
};

// A parameter in text format; none is NULL.
using TextParams = std::vector<std::optional<std::string>>;

// One session. Move-only, used by one thread at a time. Pins what decides the meaning of text
// (DateStyle, search_path, client_encoding …) and switches off every timeout that could end us;
// the constructor proves that with what the server answers.
// Throws ConnectionLost, ServerError, Interrupted.
class Connection {
 public:
  Connection(const ConnInfo& info, const SessionOptions& options);

  // One or more statements without parameters; the last one's result.
  Result Exec(const std::string& sql, Deadline deadline = std::nullopt);
  Result Exec(const std::string& sql, const TextParams& params, Deadline deadline = std::nullopt);
  struct Query {
    std::string sql;
    TextParams params;
  };
  // All in one round trip and one transaction; a result each. Throws the first failure, which
  // undoes the others.
  std::vector<Result> ExecTogether(const std::vector<Query>& queries);

  // Goes on as the session of another part: under its name, and ended by its interrupt. Gives back
  // what advisory locks the session holds.
  void HandOver(const std::string& application_name, const Interrupt* interrupt);

  // For a session that will receive much: libpq reads as much at once as its buffer has room for,
  // 16 KiB, and enlarges it only for a message that does not fit; so one is asked for. The memory
  // stays with the connection.
  void EnlargeInputBuffer();

  // The shortest time that a statement of Exec() has taken so far, round trip and work together.
  std::chrono::microseconds shortest_answer() const { return shortest_answer_; }

  int server_version() const;  // 150004, as server_version_num
  int backend_pid() const;
  bool in_transaction() const;
  bool is_broken() const;
  const std::string& description() const { return description_; }

  // For pg/ only: what pipelining, COPY and replication are built on.
  pg_conn* get() const { return connection_.get(); }
  enum class Ready { kReadable, kWritable, kTimeout };
  // Waits for the socket. Throws Interrupted when the interrupt is raised.
  Ready Wait(bool for_write, Deadline deadline);
  // Until this one can be read or the other one written, as asked for, or the other can be read.
  struct Readable {
    bool own;
    bool other;
  };
  Readable WaitWith(bool reads, const Connection& other, bool writes);
  // Sends all that is buffered, reading meanwhile, so that neither side can block the other.
  void Flush();
  // The next result once it is complete; an empty Result when there is none left.
  Result NextResult(Deadline deadline);
  [[noreturn]] void ThrowLost() const;
  // Throws ServerError (or ConnectionLost) if the result is an error.
  void ThrowIfError(const Result& result) const;

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };

  void Connect(const ConnInfo& info);
  void SetUpSession(const ConnInfo& info, SessionOptions options);
  Result ReadSettings();
  void SendQuery(const std::string& sql, const TextParams& params);
  Result Await(Deadline deadline);
  void Cancel() noexcept;

  std::unique_ptr<pg_conn, Finish> connection_;
  const Interrupt* interrupt_;
  std::string description_;
  std::chrono::microseconds shortest_answer_ = std::chrono::microseconds::max();
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_CONNECTION_H_
