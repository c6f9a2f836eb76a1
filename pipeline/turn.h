#ifndef PGTEAL_PIPELINE_TURN_H_
#define PGTEAL_PIPELINE_TURN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pg/replication.h"
#include "pipeline/open_sides.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// Which side takes the writes, and the hand-over from one to the other: a turn.
//
// pgteal.turn holds on each server how many turns are complete (`epoch`). An even number: blue
// takes the writes and the stream runs to green; an odd one: green does, and the stream runs back.
// The greater of the two counts.
//
// A turn has a closing and an opening side and is one commit on the opening side, the one that
// raises its epoch: the point of no return. It only happens while the opening side's row names the
// same attempt. Before it the closing side's row says how far the attempt is:
//   preparing   nothing is closed yet
//   fenced      closed; the opening side cannot have been opened, so undoing needs the closing side
//               alone
//   committing  the opening side may have been opened: it decides
// Whoever settles an attempt first takes its name off the opening side's row, after which it can
// never be completed, and only then opens the closing side again. An attempt that is complete keeps
// its name on the opened side until the closed side's row knows: till then it is the only witness.
struct TurnRow {
  int64_t epoch = 0;
  std::string attempt;        // empty: none
  std::string phase;          // of the closing side; empty: none
  bool has_way_back = false;  // of the opening side: the slot of the deployment's name is ours
};

// A row of zeros where there is none.
TurnRow ReadTurn(pg::Connection& side, const std::string& deployment);
// For whoever holds a turn lock of `from`, by which no turn can begin: throws Refused unless what
// it has read before still holds, `epoch` turns complete and none under way.
void RequireEpoch(pg::Connection& from, pg::Connection& to, const std::string& deployment,
                  int64_t epoch);
// How many turns are complete. Connects to both sides.
int64_t CurrentEpoch(const Deployment& deployment, const pg::SessionOptions& session);

// `deployment` as given by its operator: source blue, target green. The result's source is the side
// that takes the writes after `epoch` turns; its names are those of then.
Deployment Oriented(const Deployment& deployment, int64_t epoch);

// One attempt at a turn, from the side of the tool that makes it. The caller's sessions; oriented:
// `from` closes, `to` opens. All throw Refused when somebody has settled the attempt.
class TurnAttempt {
 public:
  TurnAttempt(std::string deployment, std::string attempt, int64_t epoch);

  // Takes the closing side's advisory lock, by which others see that we live, as long as the
  // session does. Throws Refused when another tool is at it, or has been since the epoch was read.
  void Lock(pg::Connection& from, pg::Connection& to);
  // Puts the attempt on record.
  void Begin(pg::Connection& from, pg::Connection& to);
  // Inside a transaction on the closing side.
  void SetPhase(pg::Connection& from, const std::string& phase);
  // Inside the transaction on the opening side that opens it.
  void Complete(pg::Connection& to);

  const std::string& id() const { return attempt_; }

 private:
  const std::string deployment_;
  const std::string attempt_;
  const int64_t epoch_;
};

enum class Settled : uint8_t {
  kNothing,   // no attempt was under way
  kAlive,     // a living tool is at it
  kUndone,    // the closing side is open again, as it was
  kFinished,  // the opening side had been opened: what was left to do is done
};
// Ends what a dead tool left, or, when it is named, our own attempt: nobody else's then.
// Either orientation of `deployment` will do. Throws ConnectionLost when a server that has to be
// asked cannot be reached: then nothing is decided yet. Warns of a PgBouncer that a dead tool
// paused.
Settled SettleTurn(const Deployment& deployment, const std::string& own_attempt,
                   const pg::SessionOptions& session);
struct SettledEpoch {
  Settled settled = Settled::kNothing;
  int64_t epoch = 0;
  // pgteal.deployment.state of the target, empty when it has none; unset when it was not looked at.
  std::optional<std::string> target_state;
  OpenSides sides;  // those that told this, when nothing had to be settled
};
// What a dead tool left, if anything, and CurrentEpoch() then.
SettledEpoch SettleAndFindEpoch(const Deployment& deployment, const pg::SessionOptions& session);

// Removes the slot through which a side sent its changes before it was closed, ending the walsender
// that uses it. Also for a way back that is not needed any more.
void DropSendingSlot(pg::Connection& side, const std::string& slot);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TURN_H_
