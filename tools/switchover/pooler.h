#ifndef PGTEAL_TOOLS_SWITCHOVER_POOLER_H_
#define PGTEAL_TOOLS_SWITCHOVER_POOLER_H_

#include <filesystem>
#include <string>

#include "pg/connection.h"
#include "pg/conninfo.h"
#include "pg/interrupt.h"

namespace pgteal::tools {

struct PoolerOptions {
  std::string conninfo;  // of PgBouncer's admin console; empty: there is none
  std::string database;  // its entry in [databases]; empty: blue's database name
  std::string config;    // pgbouncer.ini, if its entry is to be pointed at the new side
};

// PgBouncer: its clients wait while the sides change, instead of seeing errors. Main thread.
class Pooler {
 public:
  explicit Pooler(PoolerOptions options);

  // Throws when the console does not let us in or the configuration could not be rewritten.
  void Check(const pg::ConnInfo& side) const;
  // Whether its clients wait, whoever made them.
  bool IsPaused() const;
  // Waits until every transaction that is under way has ended; new ones wait in PgBouncer. Throws
  // Interrupted, after the pause was taken back.
  void Pause(const pg::Interrupt* interrupt);
  // Rewrites the entry in the configuration, if we know the file, and makes PgBouncer read it.
  void PointAt(const pg::ConnInfo& side);
  // Lets the clients go on; nothing when they do already.
  void Resume();

  const std::string& database() const { return options_.database; }

 private:
  pg::Connection Console(const pg::Interrupt* interrupt) const;
  void Command(const std::string& command, const pg::Interrupt* interrupt) const;
  std::string Rewritten(const pg::ConnInfo& side) const;

  const PoolerOptions options_;
  const pg::ConnInfo console_;
};

// The text of a pgbouncer.ini with host, port and dbname of one entry of [databases] replaced by
// those of `side`; what else the entry says stays. Throws Refused when there is no such entry.
std::string PointedAt(const std::string& ini, const std::string& database,
                      const pg::ConnInfo& side);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_POOLER_H_
