#ifndef PGTEAL_TOOLS_SWITCHOVER_DRAIN_H_
#define PGTEAL_TOOLS_SWITCHOVER_DRAIN_H_

#include <cstdint>
#include <string>

#include "pg/connection.h"
#include "pg/lsn.h"

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
  // Once more. Throws Refused when anything but our marks was committed since the last ToEnd().
  void Prove();

 private:
  struct Held {
    pg::Lsn end_lsn;
    int64_t transactions = 0;
  };
  Held Read();

  pg::Connection& from_;
  pg::Connection& to_;
  const std::string slot_;
  int64_t transactions_ = 0;  // applied when the last mark was reached
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_DRAIN_H_
