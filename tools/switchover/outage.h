#ifndef PGTEAL_TOOLS_SWITCHOVER_OUTAGE_H_
#define PGTEAL_TOOLS_SWITCHOVER_OUTAGE_H_

#include <chrono>
#include <optional>

#include "pg/timestamp.h"

namespace pgteal::tools {

// How long nobody could write, by one clock. When the last commit was accepted is known by the
// clock of the server that accepted it, when the other side was opened by the tool's steady clock;
// one question to that server, while it is closed, relates the two. Time is an argument.
class Outage {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Milliseconds = std::chrono::duration<double, std::milli>;

  // Before the first thing that keeps a client from writing.
  void Closing(Time at) { closing_ = at; }
  // The closing side's clock said `server` at some moment between these two. The middle is taken:
  // it is wrong by half a round trip at most.
  void Relate(pg::Timestamp server, Time asked, Time answered);
  // The last commit that the closing side accepted from somebody else, by its own clock.
  void LastCommit(std::optional<pg::Timestamp> commit) { last_commit_ = commit; }
  // The other side takes writes. May be called again: the last call counts.
  void Opened(Time at) { opened_ = at; }

  // Whether somebody still wrote after the closing began. If not, nobody was kept from writing
  // before, and the outage counts from there.
  bool is_from_commit() const { return start() > closing_; }
  Milliseconds outage() const { return opened_ - start(); }
  // From the beginning of the closing.
  Milliseconds closed() const { return opened_ - closing_; }
  // Both by the clock of the side that was closed.
  const std::optional<pg::Timestamp>& last_commit() const { return last_commit_; }
  pg::Timestamp opened_at() const;

 private:
  Time start() const;

  Time closing_;
  Time opened_;
  Time related_;  // when the closing side's clock said `server_`
  pg::Timestamp server_;
  std::optional<pg::Timestamp> last_commit_;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_OUTAGE_H_
