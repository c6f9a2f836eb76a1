#include "pipeline/stream_pace.h"

#include <thread>

namespace pgteal::pipeline {

StreamPace::StreamPace(const StreamPaceOptions& options, pg::ReplicationConnection& stream)
    : options_(options),
      stream_(stream),
      nap_(stream.is_unix_socket() ? options.unix_nap : options.nap) {}

void StreamPace::Measure(Clock::time_point now) {
  if (now - window_start_ < options_.window) return;
  is_behind_.store(window_bytes_ >= options_.backlog_bytes, std::memory_order_relaxed);
  window_bytes_ = 0;
  window_start_ = now;
}

void StreamPace::Wait(Clock::time_point deadline, int wake_fd) {
  if (is_behind_.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(nap_);
  } else {
    stream_.WaitReadable(deadline, wake_fd);
  }
  stream_.ConsumeInput();
}

}  // namespace pgteal::pipeline
