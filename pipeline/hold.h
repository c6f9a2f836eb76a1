#ifndef PGTEAL_PIPELINE_HOLD_H_
#define PGTEAL_PIPELINE_HOLD_H_

#include <chrono>
#include <optional>
#include <string>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// Asks the running stream of a deployment to stand still (pipeline/requests.h). One thread. The
// stream lets go by itself when this session ends or stands still for too long; so what was read
// while it held is to be judged by green's progress row, not by this object.
class Hold {
 public:
  // `green`: outlives it, not in a transaction.
  Hold(pg::Connection& green, std::string deployment);
  // Releases. Never throws.
  ~Hold();
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  // False when no stream answered in time; nothing is left behind then.
  [[nodiscard]] bool Ask(std::chrono::milliseconds patience);
  // The stream goes on to `lsn`, which must not be behind it. False: it has let go.
  [[nodiscard]] bool MoveTo(pg::Lsn lsn);
  // The stream's progress by now.
  pg::Lsn Progress();
  // To be called once Progress() is there: the stream stands still again.
  void Arrived();
  void Release();

  // How long the stream stood still in all.
  std::chrono::milliseconds paused() const { return paused_; }

 private:
  bool IsHeld();
  void EndPause();

  pg::Connection& green_;
  const std::string deployment_;
  std::optional<std::string> id_;
  std::optional<Clock::time_point> paused_since_;
  std::chrono::milliseconds paused_{0};
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_HOLD_H_
