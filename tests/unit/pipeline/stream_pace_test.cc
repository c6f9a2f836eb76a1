#include "pipeline/stream_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace pgteal::pipeline {
namespace {

constexpr size_t kReadBytes = 16 * 1024;  // of libpq at once

// What a socket holds, and how it was asked.
class HeldBytes {
 public:
  explicit HeldBytes(size_t bytes) : bytes_(bytes) {}

  bool is_unix_socket() const { return false; }
  bool WaitReadable(Clock::time_point deadline, int /*wake_fd*/) {
    deadline_ = deadline;
    if (bytes_ == 0 && deadline > Clock::now()) std::swap(bytes_, on_their_way_);
    return bytes_ > 0;
  }
  void ConsumeInput() {
    consumed_ = std::min(bytes_, kReadBytes);
    bytes_ -= consumed_;
  }

  // There for who waits.
  void Send(size_t bytes) { on_their_way_ = bytes; }

  size_t bytes() const { return bytes_; }
  size_t consumed() const { return consumed_; }
  Clock::time_point deadline() const { return deadline_; }

 private:
  size_t bytes_;
  size_t on_their_way_ = 0;
  size_t consumed_ = 0;
  Clock::time_point deadline_{};
};

void FallBehind(StreamPace<HeldBytes>& pace, const StreamPaceOptions& options) {
  pace.Count(options.backlog_bytes);
  pace.Measure(Clock::now());
}

TEST(StreamPace, WhoKeepsUpWaitsForTheNextChange) {
  HeldBytes stream(1);
  StreamPace<HeldBytes> pace({}, stream);
  const auto deadline = Clock::now() + std::chrono::seconds(1);
  pace.Wait(deadline, -1, false);
  EXPECT_FALSE(pace.is_behind());
  EXPECT_EQ(stream.deadline(), deadline);
  EXPECT_EQ(stream.consumed(), 1);
}

// The walsender has the core for the rest of it; and a transaction that stands still is waited for.
TEST(StreamPace, WithinATransactionTheReaderComesALittleLater) {
  StreamPaceOptions options;
  options.short_nap = std::chrono::milliseconds(1);
  HeldBytes stream(1);
  StreamPace<HeldBytes> pace(options, stream);
  const auto begun = Clock::now();
  const auto deadline = begun + std::chrono::hours(1);
  pace.Wait(deadline, -1, true);
  EXPECT_GE(Clock::now() - begun, options.short_nap);
  EXPECT_EQ(stream.deadline(), deadline);
  EXPECT_EQ(stream.consumed(), 1);
}

// A nap between two reads of libpq's buffer left blue a tenth of its speed.
TEST(StreamPace, NoNapWhileTheSocketHoldsMore) {
  StreamPaceOptions options;
  options.nap = std::chrono::hours(1);  // this test would not end
  HeldBytes stream(4 * kReadBytes);
  StreamPace<HeldBytes> pace(options, stream);
  FallBehind(pace, options);
  ASSERT_TRUE(pace.is_behind());
  while (stream.bytes() > 0) pace.Wait(Clock::now(), -1, true);
  EXPECT_EQ(stream.consumed(), kReadBytes);
}

TEST(StreamPace, ADrySocketIsLeftAloneWhileThereIsABacklog) {
  StreamPaceOptions options;
  options.nap = std::chrono::milliseconds(1);
  HeldBytes stream(0);
  StreamPace<HeldBytes> pace(options, stream);
  FallBehind(pace, options);
  const auto begun = Clock::now();
  // Not until the deadline: the window would be open all that time.
  pace.Wait(begun + std::chrono::hours(1), -1, false);
  EXPECT_GE(Clock::now() - begun, options.nap);
}

// On a network every window was followed by a nap.
TEST(StreamPace, AFullWindowIsGivenTimeToFillAgain) {
  StreamPaceOptions options;
  options.nap = std::chrono::hours(1);  // this test would not end
  HeldBytes stream(0);
  StreamPace<HeldBytes> pace(options, stream);
  FallBehind(pace, options);
  stream.Send(kReadBytes);
  pace.Count(options.full_window_bytes);
  pace.Wait(Clock::now(), -1, false);
  EXPECT_EQ(stream.consumed(), kReadBytes);
}

TEST(StreamPace, ATrickleIsNotWaitedFor) {
  StreamPaceOptions options;
  options.nap = std::chrono::milliseconds(1);
  HeldBytes stream(0);
  StreamPace<HeldBytes> pace(options, stream);
  FallBehind(pace, options);
  stream.Send(kReadBytes);
  pace.Wait(Clock::now(), -1, false);  // ends the burst of the backlog
  pace.Count(options.full_window_bytes - 1);
  stream.Send(kReadBytes);
  pace.Wait(Clock::now(), -1, false);
  EXPECT_EQ(stream.deadline(), Clock::time_point{});
}

TEST(StreamPace, TheBacklogIsOverWhenAWindowBringsLittle) {
  const StreamPaceOptions options;
  HeldBytes stream(0);
  StreamPace<HeldBytes> pace(options, stream);
  FallBehind(pace, options);
  pace.Count(options.backlog_bytes - 1);
  pace.Measure(Clock::now() + options.window);
  EXPECT_FALSE(pace.is_behind());
}

}  // namespace
}  // namespace pgteal::pipeline
