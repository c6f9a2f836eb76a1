#ifndef PGTEAL_PIPELINE_STREAM_PACE_H_
#define PGTEAL_PIPELINE_STREAM_PACE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>

#include "pg/replication.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

struct StreamPaceOptions {
  // Blue counts as having a backlog while it sends more than this within a window. Far above what a
  // busy application writes, far below what a walsender can send.
  std::chrono::milliseconds window{20};
  size_t backlog_bytes = 96 * 1024;
  // While there is a backlog a dry socket is left alone for so long. The walsender sends every
  // change by itself; with our small receive window full, its changes collect in its own send
  // buffer and leave together, which costs both sides a fraction (bench/README.md).
  std::chrono::milliseconds nap{20};
  // Within a transaction there is more to come: woken by every change the reader would take the
  // walsender's core from it each time.
  std::chrono::microseconds short_nap{20};
  // A burst of so much may have ended because our window was full: on a network, its next bytes
  // are a round trip away.
  size_t full_window_bytes = 32 * 1024;
  std::chrono::milliseconds refill_wait{1};
  // A Unix socket holds few small messages before it blocks the walsender.
  std::chrono::milliseconds unix_nap{1};
};

// When to look at blue's stream again. By rate, not by what is there at once: a reader that keeps
// up finds one change at a time. The receiving thread; is_behind() is read by any. `Stream` is
// another one in tests only.
template <typename Stream = pg::ReplicationConnection>
class StreamPace {
 public:
  StreamPace(const StreamPaceOptions& options, Stream& stream)
      : options_(options),
        stream_(stream),
        nap_(stream.is_unix_socket() ? options.unix_nap : options.nap) {}

  void Count(size_t bytes) {
    window_bytes_ += bytes;
    burst_bytes_ += bytes;
  }
  void Measure(Clock::time_point now) {
    if (now - window_start_ < options_.window) return;
    is_behind_.store(window_bytes_ >= options_.backlog_bytes, std::memory_order_relaxed);
    window_bytes_ = 0;
    window_start_ = now;
  }
  // Until the stream has something, `wake_fd` (-1 for none) rings or `deadline` passes, not at once
  // when the rest of a transaction is to come; while blue has a backlog, a nap if the socket is dry
  // and stays it. Then takes in what the socket holds, which may be less than all: libpq reads as
  // much as its buffer has room for.
  void Wait(Clock::time_point deadline, int wake_fd, bool in_transaction) {
    if (!is_behind_.load(std::memory_order_relaxed)) {
      if (in_transaction) std::this_thread::sleep_for(options_.short_nap);
      stream_.WaitReadable(deadline, wake_fd);
    } else if (!stream_.WaitReadable(kAtOnce, -1) && !IsRefilled()) {
      std::this_thread::sleep_for(nap_);
    }
    stream_.ConsumeInput();
  }
  const std::atomic<bool>& is_behind() const { return is_behind_; }

 private:
  static constexpr Clock::time_point kAtOnce{};

  // Ends a burst.
  bool IsRefilled() {
    const bool may_have_been_full = burst_bytes_ >= options_.full_window_bytes;
    burst_bytes_ = 0;
    return may_have_been_full && stream_.WaitReadable(Clock::now() + options_.refill_wait, -1);
  }

  const StreamPaceOptions options_;
  Stream& stream_;
  const std::chrono::milliseconds nap_;
  size_t window_bytes_ = 0;
  size_t burst_bytes_ = 0;  // since the socket was dry
  Clock::time_point window_start_{};
  std::atomic<bool> is_behind_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_STREAM_PACE_H_
