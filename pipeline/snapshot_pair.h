#ifndef PGTEAL_PIPELINE_SNAPSHOT_PAIR_H_
#define PGTEAL_PIPELINE_SNAPSHOT_PAIR_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/hold.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

struct SnapshotOptions {
  size_t sessions = 2;  // on each side
  // Making blue's snapshot waits for the transactions that are writing there, while the stream
  // stands still: so long at most, then it goes on and we try again.
  std::chrono::milliseconds hold_max{700};
  StreamOptions stream;  // for bringing green up to the snapshot while no `run` does
  const pg::Interrupt* interrupt = nullptr;
  // Locked against rewriting at once, and for as long as the sessions live: for tables that are
  // emptied so often that a lock when they are read comes too late. Quoted.
  std::vector<std::string> locked_tables;
};

// Sessions on blue and on green in read-only transactions that show one and the same state: all
// that blue committed up to `lsn`, and nothing else. Each session belongs to one thread at a time.
struct SnapshotPair {
  pg::Lsn lsn;
  applier::SideNames sides = {};
  std::vector<std::unique_ptr<pg::Connection>> blue;
  std::vector<std::unique_ptr<pg::Connection>> green;
  std::chrono::milliseconds paused{0};  // how long the stream stood still for it
  Clock::time_point taken_at{};
};

// Takes them while blue is written to. A running stream is asked to hold for a moment; without one
// green is brought up to the snapshot first. Waits for long write transactions on blue without
// holding anything. Throws Refused when green is not in a state to be compared, and Interrupted.
SnapshotPair TakeSnapshots(const Deployment& deployment, const SnapshotOptions& options,
                           const std::atomic<bool>& stop);

// Steps of it, for whoever needs green to stand still at a snapshot of blue for longer.

// A blue session at a new snapshot, and green held there.
struct HeldPoint {
  pg::Lsn lsn;
  std::unique_ptr<pg::Connection> control;  // of green; `hold` uses it
  std::unique_ptr<Hold> hold;               // null when no stream runs
  std::vector<std::unique_ptr<pg::Connection>> blue;
};
HeldPoint HoldAtSnapshot(const Deployment& deployment, const SnapshotOptions& options,
                         const std::atomic<bool>& stop);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SNAPSHOT_PAIR_H_
