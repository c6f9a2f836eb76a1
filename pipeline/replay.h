#ifndef PGTEAL_PIPELINE_REPLAY_H_
#define PGTEAL_PIPELINE_REPLAY_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/apply_stage.h"
#include "pipeline/capture_feeder.h"
#include "pipeline/options.h"
#include "pipeline/spool.h"
#include "pipeline/supervisor.h"

namespace pgteal::pipeline {

struct ReplayFigures {
  uint64_t transactions = 0;
  uint64_t changes = 0;
  uint64_t bytes = 0;  // of raw messages
  pg::Lsn end_lsn;     // everything committed before it has been replayed
};

struct ReplayOptions {
  std::vector<std::string> paths;
  Pace pace = Pace::kFull;
  StreamOptions stream;  // lanes, limits, until_lsn
};

// Applies captures to green under the rules of a stream: the progress row on green decides what is
// there already, so a replay that was killed goes on where it was. Main thread.
class Replay {
 public:
  enum class End : uint8_t { kStopped, kDone };
  using Watch = std::function<void(const ReplayFigures&)>;

  // Opens the captures. `deployment.source` is not used.
  Replay(const Deployment& deployment, const ReplayOptions& options);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // Throws Refused when green's progress is of another blue, or behind the first capture, and what
  // ended the replay otherwise, after everything has been brought to an end.
  End Run(const std::atomic<bool>& stop, const Watch& watch);
  ReplayFigures figures();

 private:
  void PrepareTarget();
  void RequireSameSource(pg::Connection& green);

  const Deployment& deployment_;
  const ReplayOptions& options_;
  SpoolFolder spool_;
  CaptureReader reader_;
  Supervisor supervisor_;
  Doorbell wake_feeder_;
  std::optional<uint64_t> generation_;
  std::unique_ptr<ApplyStage> apply_;
  std::unique_ptr<CaptureFeeder> feeder_;
  std::jthread feeder_thread_;  // last, so that it ends first
};

// Reads, decodes and assembles the captures and drops the result.
ReplayFigures ReplayToNothing(const ReplayOptions& options, const std::atomic<bool>& stop,
                              const Replay::Watch& watch);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_REPLAY_H_
