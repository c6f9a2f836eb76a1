#ifndef PGTEAL_TESTS_SUPPORT_GATE_H_
#define PGTEAL_TESTS_SUPPORT_GATE_H_

#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/temp_folder.h"

namespace pgteal::tests {

// A proxy in front of a server that breaks connections on demand. Listens on 127.0.0.1 and on a
// Unix socket, goes on over TCP. Verbs may be called from any thread and act on all connections,
// those to come included. One thread of its own moves the bytes.
class Gate {
 public:
  // The server may restart meanwhile; while it is down, clients are turned away.
  explicit Gate(const PgCluster& server);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  std::string ConnInfo(const std::string& dbname = "postgres") const;
  std::string UnixConnInfo(const std::string& dbname = "postgres") const;

  enum class Way { kToServer, kToClient };
  enum class Where { kBefore, kAfter };

  // Forgets every fault that has not happened yet and lets bytes pass again.
  void Pass();
  // Nothing passes, nothing is closed: a network that swallows packets.
  void Stop();
  // Each byte arrives this much later, in each way.
  void Delay(std::chrono::milliseconds delay);
  // In each way, over all connections; those that come later hold little on the way.
  void LimitBytesPerSecond(uint64_t bytes);
  // Closes all connections; new ones are let in.
  void CutNow();
  // New connections are closed at once, or not.
  void Refuse(bool refuse);
  // Once `bytes` more have passed, closes the connection that carried the last of them. Happens
  // once.
  void CutAfterBytes(uint64_t bytes, Way way = Way::kToServer);
  // Cuts the connection on which a client sends the nth `text` from now on. kBefore: the server
  // does not get it. kAfter: the server gets it and may finish, but the client never hears of it.
  // Happens once.
  void CutOn(const std::string& text, Where where, int nth = 1);
  // Whatever a server sends with these bytes in it arrives with those instead, of the same length.
  void Corrupt(const std::string& from, const std::string& to);

  // What has happened so far. Whoever has received a byte finds it counted.
  uint64_t connections() const { return Locked(connections_); }
  uint64_t cuts() const { return Locked(cuts_); }
  uint64_t bytes_to_server() const { return Locked(bytes_[0]); }
  uint64_t bytes_to_client() const { return Locked(bytes_[1]); }
  [[nodiscard]] bool WaitForCuts(uint64_t count, std::chrono::milliseconds timeout) const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Rules {
    bool stopped = false;
    bool refuse = false;
    std::chrono::milliseconds delay{0};
    uint64_t bytes_per_second = 0;  // 0: no limit
    std::optional<uint64_t> cut_after[2];
    std::string cut_on;
    Where cut_where = Where::kBefore;
    int cut_nth = 1;
    std::string corrupt_from;
    std::string corrupt_to;
  };
  struct Chunk {
    Clock::time_point due;
    std::string bytes;
  };
  struct Stream {  // one way of one connection
    std::deque<Chunk> queue;
    size_t queued_bytes = 0;
    bool at_end = false;  // the sender has closed
    bool is_shut = false;
  };
  enum class State { kOpen, kCutWhenSent, kSwallow, kClosed };
  struct Link {
    int fds[2] = {-1, -1};  // the end that receives: [kToServer] the server's, [kToClient] client's
    Stream streams[2];
    std::string tail;  // what a client sent last, for a pattern in two reads
    State state = State::kOpen;
  };
  struct Interest {  // a Link's place in the poll set
    Link* link;
    int way;
    bool is_read;
  };

  void Loop();
  int PollAll(std::vector<pollfd>& set, std::vector<Interest>& interests);
  void Serve(const std::vector<pollfd>& set, const std::vector<Interest>& interests);
  void AcceptFrom(int listener);
  void Read(Link& link, int way);
  void Take(Link& link, int way, std::string_view bytes);
  void ApplyCorruption(std::string* bytes) const;
  void ApplyCuts(Link& link, int way, std::string_view& bytes);
  void Send(Link& link, int way);
  void Settle(Link& link);
  void Close(Link& link);
  void CloseClient(Link& link);
  void RefillAllowance();
  bool MaySend(const Stream& stream, int way) const;
  void Wake() const;
  uint64_t Locked(const uint64_t& count) const {
    const std::lock_guard lock(mutex_);
    return count;
  }

  // Set in the constructor, then constant.
  const int server_port_;
  TempFolder folder_;
  int port_ = 0;
  int listeners_[2] = {-1, -1};
  int wake_fd_ = -1;
  // Shared, under the mutex.
  mutable std::mutex mutex_;
  Rules rules_;
  std::list<Link> links_;
  double allowance_[2] = {0, 0};
  Clock::time_point refilled_ = Clock::now();
  uint64_t connections_ = 0;
  uint64_t cuts_ = 0;
  uint64_t bytes_[2] = {0, 0};
  // Written by the destructor, read by the thread.
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_GATE_H_
