#ifndef PGTEAL_PIPELINE_SESSION_H_
#define PGTEAL_PIPELINE_SESSION_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "pipeline/answer_watch.h"
#include "pipeline/apply_stage.h"
#include "pipeline/open_sides.h"
#include "pipeline/options.h"
#include "pipeline/receiver.h"
#include "pipeline/requests.h"
#include "pipeline/schema_guard.h"
#include "pipeline/spool.h"
#include "pipeline/supervisor.h"
#include "pipeline/turn_watch.h"

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
  bool is_restart_moved = false;       // of the slot, or tried once
  bool may_read_ahead = true;          // false once blue could not do it
  pg::Lsn until_lsn;                   // resolved once, so that a reconnect does not move it
};

// One life of the stream: connects, checks that green's progress and blue's slot fit together,
// takes over, and runs receiver, batcher and lanes until stopped, done, or failed. Main thread.
class Session {
 public:
  using Watch = std::function<void(const SessionView&)>;
  enum class End : uint8_t { kStopped, kDone };

  Session(const Deployment& deployment, const StreamOptions& options, SpoolFolder& spool,
          SessionState& state, OpenSides open_sides);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `stop` is polled; `watch` is called several times a second. Throws what ended the session,
  // after everything has been brought to an end.
  End Run(const std::atomic<bool>& stop, const Watch& watch);

 private:
  pg::SessionOptions SessionOptions(const std::string& part);
  void Connect();
  pg::Lsn CheckSource();
  void RequireNobodyReadsAhead();
  void RequireNobodyLoads();
  void RequireNobodyStreams();
  void StartStream(pg::Lsn progress_lsn);
  std::unique_ptr<ReadAhead> BeginReadAhead(pg::Lsn progress_lsn);
  void StartThreads();
  void LookAround();
  void LookAtSource();
  void LookAtSchema();
  void Finish();
  bool WantsBinary();

  const Deployment& deployment_;
  const StreamOptions& options_;
  SpoolFolder& spool_;
  SessionState& state_;
  OpenSides open_sides_;  // until we are connected

  Supervisor supervisor_;
  AnswerWatch answers_;
  Doorbell wake_receiver_;
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::ReplicationConnection> stream_;
  pg::StreamOptions stream_options_;
  std::unique_ptr<ReadAhead> read_ahead_;  // until the receiver has it
  std::unique_ptr<decoder::Assembler> assembler_;
  std::unique_ptr<ApplyStage> apply_;
  std::unique_ptr<Receiver> receiver_;
  SchemaGuard guard_;
  uint64_t announcement_count_ = 0;  // of the receiver, when last asked
  std::unique_ptr<Requests> requests_;
  TurnWatch turn_watch_;
  pg::Lsn source_lsn_;
  Clock::time_point next_source_look_{};
  std::jthread receiver_thread_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SESSION_H_
