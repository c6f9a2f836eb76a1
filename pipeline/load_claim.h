#ifndef PGTEAL_PIPELINE_LOAD_CLAIM_H_
#define PGTEAL_PIPELINE_LOAD_CLAIM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "pg/connection.h"
#include "pg/interrupt.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// The right to fill green's tables. A lock on green keeps other loads and streams out, as long as
// the session lasts that took it. Should that be lost, or somebody have looked before it was
// taken, the generation of the progress row decides, as it does among streams: of all that write
// rows only the last that took over can commit.
//
// One thread takes it; afterwards any number commit by it, each with its own session.
class LoadClaim {
 public:
  explicit LoadClaim(const Deployment& deployment);

  // Waits for another load to end, or, when it may not, throws Refused. Throws Interrupted.
  void Lock(pg::Connection& green, bool may_wait, const pg::Interrupt& interrupt);
  // Fences off every former process, be it a load or a stream, and ends the sessions with which
  // that one applied. Once the deployment is on record.
  void TakeOver(pg::Connection& green);
  // For the stream that follows. The end of the session does it, too, but a moment later.
  void Unlock(pg::Connection& green);

  // One transaction of ours. Throws TakenOver, with nothing written, when green is not ours any
  // more.
  template <typename Write>
  void Commit(pg::Connection& green, const Write& write) const {
    green.Exec("BEGIN");
    write();
    RequireOurs(green);
    green.Exec("COMMIT");
  }

  const std::string& deployment() const { return deployment_.name; }

 private:
  void RequireOurs(pg::Connection& green) const;

  const Deployment& deployment_;
  int64_t generation_ = -1;  // none
};

// Process of green that has the lock.
std::optional<int> LoadOn(pg::Connection& green, const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LOAD_CLAIM_H_
