#ifndef PGTEAL_PIPELINE_WRITER_WATCH_H_
#define PGTEAL_PIPELINE_WRITER_WATCH_H_

#include <set>
#include <string>

#include "pg/connection.h"
#include "pipeline/doorbell.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// Notices programs that write on green while it follows blue: they have overridden its read-only
// default, and their rows will be in the way. Each is told once, in the log and in pgteal.event
// (kind 'foreign_writer'). Looks now and then, so a transaction of a moment may go unnoticed. One
// thread.
class WriterWatch {
 public:
  explicit WriterWatch(const Deployment& deployment)
      : deployment_(deployment.name), sides_(deployment.sides) {}

  // Cheap to call often.
  void Look(pg::Connection& green);

 private:
  const std::string deployment_;
  const applier::SideNames sides_;
  Clock::time_point next_look_{};
  std::set<std::string> told_;  // "pid start"
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_WRITER_WATCH_H_
