#ifndef PGTEAL_PIPELINE_LOAD_WATCH_H_
#define PGTEAL_PIPELINE_LOAD_WATCH_H_

#include <memory>
#include <set>
#include <string>

#include "pg/connection.h"
#include "pipeline/load_progress.h"
#include "pipeline/options.h"
#include "pipeline/writer_watch.h"

namespace pgteal::pipeline {

// Looks after both servers while a load runs, every few seconds: DDL on blue that waits behind our
// locks, the WAL that the slot keeps back there, and the figures in pgteal.table_state. Warns, and
// ends a load only when its slot is gone. Main thread.
class LoadWatch {
 public:
  // `interrupt` ends its waits; borrowed.
  LoadWatch(const Deployment& deployment, const pg::Interrupt& interrupt);

  // Also adds to `progress` what green says about its index builds. Throws Refused once blue has
  // given up the slot: nothing could be streamed after the load.
  void Look(LoadProgress& progress);

 private:
  void WarnOfWaitingDdl();
  void RequireSlot(LoadPhase phase);
  void WarnOfRetention();
  void PublishFigures(const LoadProgress& progress);
  void LookAtBuilds(LoadProgress& progress);

  const Deployment& deployment_;
  const pg::Interrupt& interrupt_;
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::Connection> green_;
  WriterWatch writers_;
  Clock::time_point next_look_;
  std::set<std::string> warned_;  // "pid table"
  Clock::time_point last_retention_{};
  int64_t last_safe_bytes_ = 0;
  Clock::time_point next_retention_warning_{};
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LOAD_WATCH_H_
