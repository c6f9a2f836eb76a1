#ifndef PGTEAL_TOOLS_STATUS_STATUS_H_
#define PGTEAL_TOOLS_STATUS_STATUS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/options.h"

namespace pgteal::tools {

// What can be known about a deployment from the two servers alone, whether a pgteal runs or not.
struct Status {
  struct Table {
    std::string name;
    std::string phase;
    int64_t rows = 0;
    int64_t bytes = 0;
  };
  struct Event {
    std::string at;
    std::string kind;
    std::string detail;
  };
  struct Slot {
    bool is_active = false;
    std::string wal_status;  // reserved, extended, unreserved, lost
    pg::Lsn confirmed_flush_lsn;
    int64_t retained_bytes = 0;         // of WAL, kept for us
    std::optional<int64_t> safe_bytes;  // until the slot is in danger; none: no limit is set
  };

  std::string name;
  std::string state;      // of pgteal.deployment; empty: there is none, as far as we know
  std::string direction;  // "blue to green", "green to blue"
  int64_t epoch = 0;
  std::string attempt_phase;             // of a switchover that is under way, or empty
  std::vector<std::string> unreachable;  // "blue: …", with the reason
  bool is_source_reached = true;         // the side that sends
  bool is_target_reached = true;         // the side that holds the state

  pg::Lsn source_lsn;
  pg::Lsn applied_lsn;
  std::optional<int64_t> lag_bytes;
  std::optional<double> lag_seconds;
  std::optional<int64_t> lag_transactions;  // estimated by the bytes of those before
  int64_t transactions = 0;
  int64_t changes = 0;
  std::optional<Slot> slot;

  int64_t conflicts = 0;
  std::map<std::string, int64_t> phases;  // tables by phase of the initial copy
  std::vector<Table> unfinished;          // those that are not ready
  std::vector<Event> events;              // the last ones, newest first
};

// Looks, again and again, through the same two sessions for as long as they live. Borrows
// `deployment`.
class StatusReader {
 public:
  StatusReader(const pipeline::Deployment& deployment, pg::SessionOptions session);

  // Never throws for a side that cannot be reached: it is named in `unreachable`.
  Status Read();

 private:
  Status Look();
  pg::Connection* Connect(const pg::ConnInfo& info, const char* side,
                          std::unique_ptr<pg::Connection>* connection, Status* status);

  const pipeline::Deployment& deployment_;
  const pg::SessionOptions session_;
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::Connection> green_;
};

// What moved between two looks.
struct StatusRates {
  double transactions = 0;  // a second
  double changes = 0;
  double source_bytes = 0;                   // of WAL that the source wrote
  std::optional<double> caught_up_seconds;   // until the lag is gone at this pace
  std::optional<double> slot_limit_seconds;  // until the slot is in danger at this pace
};
StatusRates RatesBetween(const Status& before, const Status& now,
                         std::chrono::duration<double> time);

std::string StatusText(const Status& status, const StatusRates& rates);
std::string StatusJson(const Status& status, const StatusRates& rates);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_STATUS_STATUS_H_
