#ifndef PGTEAL_PIPELINE_STREAM_H_
#define PGTEAL_PIPELINE_STREAM_H_

#include <atomic>

#include "pipeline/session.h"

namespace pgteal::pipeline {

// Keeps green in step with blue until told to stop, until the chosen position is reached, or until
// an error needs a person. Transient errors begin a new session from green's progress, with
// exponential back-off that starts over after every session that made progress.
class Stream {
 public:
  // `open_sides`: for the first session.
  Stream(Deployment deployment, StreamOptions options, OpenSides open_sides = {});

  // Main thread. `stop` may be set from a signal handler. Throws the error that needs a person.
  Session::End Run(const std::atomic<bool>& stop, const Session::Watch& watch);

 private:
  enum class Next : uint8_t { kRetry, kRetryNow };

  // Judges the exception being handled: returns if it is worth another session, else rethrows.
  Next Judge(bool was_streaming);
  void WaitForSlot(const pg::ServerError& error);
  void NoteProgress(pg::Lsn applied);
  void BackOff(const std::atomic<bool>& stop);

  const Deployment deployment_;
  const StreamOptions options_;
  SpoolFolder spool_;
  SessionState state_;
  OpenSides open_sides_;              // until the first session has them
  bool has_waited_ = false;           // for a slot in use: all that it takes to stream was there
  bool is_waiting_for_slot_ = false;  // since the last session that streamed, and said so
  std::chrono::milliseconds backoff_;
  pg::Lsn seen_applied_;  // at the last look, of this session or of one before
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_STREAM_H_
