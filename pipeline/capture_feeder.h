#ifndef PGTEAL_PIPELINE_CAPTURE_FEEDER_H_
#define PGTEAL_PIPELINE_CAPTURE_FEEDER_H_

#include <atomic>
#include <memory>
#include <optional>

#include "pipeline/capture_reader.h"
#include "pipeline/progress.h"
#include "pipeline/ring.h"

namespace pgteal::pipeline {

enum class Pace : uint8_t { kFull, kRecorded };

struct FeederOptions {
  pg::Lsn resume_lsn;  // everything that ends at or before it is on green already
  pg::Lsn until_lsn;   // nothing that ends after it is passed on; zero for no end
  Pace pace = Pace::kFull;
};

// Fills the ring from captures, in the receiver's place. One thread.
class CaptureFeeder {
 public:
  // `wake`: rung when the ring has space again, when progress moved, and by Stop().
  CaptureFeeder(const FeederOptions& options, CaptureReader& reader,
                Ring<decoder::Transaction>& ring, Progress& progress, Doorbell& wake);

  // The thread body. Ends after Stop(), or when everything is durable on green.
  void Run();
  void Stop();
  const std::atomic<bool>& is_behind() const { return is_behind_; }
  // Everything there is to replay is durable on green.
  bool is_done() const { return is_done_.load(std::memory_order_acquire); }

 private:
  void PassOn(std::unique_ptr<decoder::Transaction> transaction);
  void PassOnEnd();
  void AwaitPace();
  bool is_stopping() const { return is_stopping_.load(std::memory_order_acquire); }

  const FeederOptions options_;
  CaptureReader& reader_;
  Ring<decoder::Transaction>& ring_;
  Progress& progress_;
  Doorbell& wake_;
  pg::Lsn passed_on_;
  // Recorded pace: the receive time that stands for `paced_since_`, anew for each capture.
  std::optional<size_t> paced_file_;
  pg::Timestamp paced_from_;
  Clock::time_point paced_since_{};
  std::atomic<bool> is_behind_ = true;
  std::atomic<bool> is_done_ = false;
  std::atomic<bool> is_stopping_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_CAPTURE_FEEDER_H_
