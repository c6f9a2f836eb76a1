#ifndef PGTEAL_PIPELINE_CAPTURE_H_
#define PGTEAL_PIPELINE_CAPTURE_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pg/catalog.h"
#include "pg/replication.h"
#include "pipeline/feedback.h"
#include "pipeline/frame_writer.h"
#include "pipeline/options.h"
#include "pipeline/stream_pace.h"
#include "pipeline/stream_position.h"
#include "pipeline/supervisor.h"

namespace pgteal::pipeline {

struct CaptureOptions {
  std::string path;           // of the file, which must not exist
  bool is_temporary = false;  // a slot that ends with the capture
  bool is_binary = false;
  bool is_streaming = true;  // needs protocol 2
  int proto_version = 2;
  pg::Lsn until_lsn;  // nothing that commits at or after it
  bool until_caught_up = false;
  std::optional<std::chrono::milliseconds> duration;
  std::string pgteal_version;  // for the header
  // What is in the file is made durable, and then confirmed to blue, this often or after so much.
  std::chrono::milliseconds sync_interval{1000};
  size_t sync_bytes = 16 << 20;
  // While only unpublished tables change, the position is noted in the file this often.
  std::chrono::milliseconds mark_interval{10'000};
  FeedbackOptions feedback;
};

struct CaptureFigures {
  std::string slot;
  pg::Lsn start_lsn;
  pg::Lsn end_lsn;  // everything committed after start_lsn and before it is in the file
  uint64_t transactions = 0;
  uint64_t messages = 0;
  uint64_t file_bytes = 0;
};

// Records blue's raw stream into a frame file. The slot follows what is durable in the file and
// complete: the next capture with it begins where this one ended, and a transaction of which only a
// part is in the file comes again as a whole. Main thread.
class Capture {
 public:
  using Watch = std::function<void(const CaptureFigures&)>;

  // `deployment.target` is not used.
  Capture(const Deployment& deployment, const CaptureOptions& options);

  // Until stopped or at the end that the options set. `watch` is called several times a second. An
  // error of the stream is thrown after the file has been brought to a sound end.
  CaptureFigures Run(const std::atomic<bool>& stop, const Watch& watch);

 private:
  void Open(const std::atomic<bool>& stop);
  std::string PrepareSlot(const std::atomic<bool>& stop);
  void RequireUsable(const pg::Slot& slot, const std::string& database) const;
  void StartStream(const std::atomic<bool>& stop);
  proto::FrameFileHeader Header(const pg::SystemIdentity& identity);
  void Receive(const std::atomic<bool>& stop, const Watch& watch);
  bool ReadSome();
  void OnFrame(std::string_view payload);
  void SyncIfDue(Clock::time_point now);
  void SendStatus(Clock::time_point now);
  void Wait();
  void Finish();
  void EndStream();
  CaptureFigures Figures() const;

  const Deployment& deployment_;
  const CaptureOptions& options_;
  Supervisor supervisor_;
  std::string slot_;
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::ReplicationConnection> stream_;
  std::unique_ptr<FrameWriter> writer_;
  std::optional<StreamPosition> position_;
  std::optional<Feedback> feedback_;
  pg::Lsn start_lsn_;
  pg::Lsn durable_;  // complete() of what is synced
  bool has_ended_ = false;
  bool is_mark_wanted_ = false;  // blue asks how far we are
  uint64_t messages_ = 0;
  uint64_t synced_messages_ = 0;
  size_t unsynced_bytes_ = 0;
  // Whether blue sends faster than it is worth to be woken for.
  std::optional<StreamPace<>> pace_;
  Clock::time_point last_sync_{};
  Clock::time_point last_mark_{};
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_CAPTURE_H_
