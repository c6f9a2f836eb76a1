#ifndef PGTEAL_TOOLS_SWITCHOVER_DRAIN_H_
#define PGTEAL_TOOLS_SWITCHOVER_DRAIN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pg/timestamp.h"

namespace pgteal::tools {

// Follows the running stream up to marks that we put into the closing side's log. Uses the caller's
// sessions; their interrupt ends its waits.
class Drain {
 public:
  Drain(pg::Connection& from, pg::Connection& to, std::string slot);

  // Bytes of log between the closing side's end and what the opening side holds.
  uint64_t LagBytes();
  // Puts a mark behind everything that is committed, and waits until the opening side holds it.
  // Returns the mark.
  pg::Lsn ToEnd();
  // Once more. Throws Refused when anything but our marks was committed to published tables since
  // the last ToEnd(). Returns how many more transactions took a number on the closing side's server
  // meanwhile: numbers belong to all its databases, so they tell that something was written, not
  // where.
  [[nodiscard]] int64_t Prove();
  // When the last transaction was committed that wrote rows of somebody else's tables, by the
  // closing side's clock, as of the last mark that was reached; our marks do not count. None: the
  // stream has not seen one yet.
  const std::optional<pg::Timestamp>& last_commit() const { return last_commit_; }

 private:
  struct Held {
    pg::Lsn end_lsn;
    int64_t transactions = 0;
    std::optional<pg::Timestamp> last_commit;
  };
  Held Read();

  pg::Connection& from_;
  pg::Connection& to_;
  const std::string slot_;
  int64_t transactions_ = 0;  // applied when the last mark was reached
  int64_t next_xid_ = 0;      // of the closing side's server, right behind the last mark
  std::optional<pg::Timestamp> last_commit_;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_DRAIN_H_
