#ifndef PGTEAL_PIPELINE_SESSION_H_
#define PGTEAL_PIPELINE_SESSION_H_

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "applier/target_catalog.h"
#include "pipeline/batcher.h"
#include "pipeline/lane.h"
#include "pipeline/options.h"
#include "pipeline/receiver.h"
#include "pipeline/spool.h"

namespace pgteal::pipeline {

// What a running session shows to whoever watches.
struct SessionView {
  const Progress& progress;
  pg::Lsn source_lsn;  // blue's WAL position when last asked
  size_t ring_bytes;
  std::string application_name;
};

// What outlives one session of a process.
struct SessionState {
  std::optional<uint64_t> generation;  // ours, once we have taken over
  bool use_binary = true;              // false after BinaryRefused
  pg::Lsn until_lsn;                   // resolved once, so that a reconnect does not move it
};

// One life of the stream: connects, checks that green's progress and blue's slot fit together,
// takes over, and runs receiver, batcher and lanes until stopped, done, or failed. Main thread.
class Session {
 public:
  using Watch = std::function<void(const SessionView&)>;
  enum class End : uint8_t { kStopped, kDone };

  Session(const Deployment& deployment, const StreamOptions& options, SpoolFolder& spool,
          SessionState& state);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `stop` is polled; `watch` is called several times a second. Throws what ended the session,
  // after everything has been brought to an end.
  End Run(const std::atomic<bool>& stop, const Watch& watch);

 private:
  pg::SessionOptions SessionOptionsFor(const std::string& part) const;
  void Connect();
  pg::Lsn CheckSource();
  void StartStream(pg::Lsn progress_lsn);
  void TakeOver();
  void StartThreads();
  template <typename Body>
  std::jthread Guarded(Body body, bool is_lane);
  void Fail(bool is_lane) noexcept;
  void Tick();
  void PollFlush();
  void ResolveStall();
  void Finish();
  void StopLanes();
  bool WantsBinary();

  const Deployment& deployment_;
  const StreamOptions& options_;
  SpoolFolder& spool_;
  SessionState& state_;

  pg::Interrupt interrupt_;
  Doorbell wake_receiver_;
  Doorbell wake_self_;
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::Connection> green_;
  std::unique_ptr<pg::ReplicationConnection> stream_;
  std::unique_ptr<applier::TargetCatalog> catalog_;
  std::unique_ptr<decoder::Assembler> assembler_;
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<Ring<decoder::Transaction>> ring_;
  std::unique_ptr<CommitOrder> order_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<Batcher> batcher_;
  pg::Lsn resume_lsn_;
  pg::Lsn source_lsn_;
  Clock::time_point next_source_look_{};
  uint64_t stalled_sequence_ = 0;
  Clock::time_point stalled_since_{};

  std::mutex failure_mutex_;
  std::exception_ptr failure_;  // protected by failure_mutex_; the first one that says something
  std::atomic<bool> has_failed_ = false;

  // Last, so that they end first.
  std::jthread receiver_thread_;
  std::jthread batcher_thread_;
  std::vector<std::jthread> lane_threads_;
  std::atomic<size_t> lanes_running_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SESSION_H_
