#ifndef PGTEAL_PIPELINE_REQUESTS_H_
#define PGTEAL_PIPELINE_REQUESTS_H_

#include <optional>
#include <string>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/intake.h"
#include "pipeline/progress.h"

namespace pgteal::pipeline {

// pgteal.request on green: what another process asks the running stream for. One kind so far, a
// hold: the stream stops taking transactions, and once the asker has put an LSN into the row, goes
// on to exactly that LSN and stands there until the row is gone. The asker keeps an advisory lock
// (kRequestLock, id) while it lives. Hold is the asking side.
inline constexpr int kRequestLock = 1885823333;

// The stream's side. Main thread of a session; the connection is its own.
class Requests {
 public:
  Requests(pg::Connection& green, const std::string& deployment, Intake& intake,
           const Progress& progress);

  // Asks green ten times a second, far more often while a hold is on; one cheap statement.
  void Tick();
  Clock::time_point next_look() const { return next_look_; }
  // pgteal.deployment.state as of the last look; empty when the deployment is gone.
  const std::string& deployment_state() const { return deployment_state_; }

 private:
  void Obey(const pg::Result& row);
  void GoOn(const char* why);
  void EndHold(const std::string& id, const char* why);
  bool PausesTooLong();

  pg::Connection& green_;
  const std::string deployment_;
  Intake& intake_;
  const Progress& progress_;
  Clock::time_point next_look_{};
  std::string deployment_state_;
  std::optional<Clock::time_point> paused_since_;  // set while nothing moves
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_REQUESTS_H_
