#ifndef PGTEAL_PG_REPLICATION_H_
#define PGTEAL_PG_REPLICATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"

namespace pgteal::pg {

// IDENTIFY_SYSTEM.
struct SystemIdentity {
  std::string system_identifier;
  uint32_t timeline = 0;
  Lsn flush_lsn;
  std::string database;
};

struct CreatedSlot {
  Lsn consistent_point;
  std::string snapshot;  // exported; valid until the connection runs another command. May be empty
};

// Options of pgoutput, PostgreSQL docs "Logical Streaming Replication Parameters".
struct StreamOptions {
  std::string slot;
  std::string publication;
  int proto_version = 1;
  bool streaming = false;    // version 14+, protocol 2+
  bool binary = false;       // version 14+
  bool messages = true;      // version 14+
  bool origin_none = false;  // version 16+: only changes that were not replicated to blue
};

// The options as pgoutput takes them, name and value: of START_REPLICATION and of
// pg_logical_slot_get_binary_changes().
std::vector<std::pair<std::string, std::string>> PluginOptions(const StreamOptions& options);

// A walsender session. Receiver thread only, except before it starts.
class ReplicationConnection {
 public:
  ReplicationConnection(const ConnInfo& info, const SessionOptions& options);
  ~ReplicationConnection();
  ReplicationConnection(const ReplicationConnection&) = delete;
  ReplicationConnection& operator=(const ReplicationConnection&) = delete;

  SystemIdentity IdentifySystem();
  // Waits until every transaction that is writing now has ended; interruptible. Throws
  // ConnectionLost at the deadline; this session is then useless.
  CreatedSlot CreateSlot(const std::string& slot, bool temporary, bool export_snapshot,
                         Deadline deadline = std::nullopt);
  void StartReplication(const StreamOptions& options, Lsn start);

  enum class Received { kMessage, kNothing, kEnd };
  // The next CopyData payload if one is here, without waiting. The view is valid until the next
  // call. kEnd: the server ended the stream in good order (it is shutting down).
  [[nodiscard]] Received TryReceive(std::string_view* payload);
  // Reads from the socket what is there into libpq's buffer. False on timeout. Also returns (true)
  // when `wake_fd` becomes readable; -1 for none.
  bool WaitReadable(Clock::time_point deadline, int wake_fd);
  void ConsumeInput();
  // Sends a CopyData payload (a standby status update). Never waits for the server to read it:
  // false when the socket is full; the bytes then leave with the next call.
  bool Send(std::string_view payload);
  // CopyDone, so that the walsender ends and the slot is free at once. Never throws.
  void Stop() noexcept;

  bool is_unix_socket() const;
  Connection& session() { return connection_; }

 private:
  void KeepWindowSmall();

  Connection connection_;
  char* payload_ = nullptr;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_REPLICATION_H_
