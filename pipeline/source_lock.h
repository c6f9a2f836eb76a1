#ifndef PGTEAL_PIPELINE_SOURCE_LOCK_H_
#define PGTEAL_PIPELINE_SOURCE_LOCK_H_

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pg/connection.h"
#include "pipeline/copy_plan.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// ACCESS SHARE on the tables of a plan, held in a session of its own from before the slot is
// created until they are copied: a TRUNCATE or a rewriting ALTER in between would make a table look
// empty to an older snapshot, and a rewrite is not in the stream. Reads and writes go on; such DDL
// waits. One thread.
class SourceLock {
 public:
  SourceLock(const pg::ConnInfo& source, const pg::SessionOptions& session);

  // Locks what `publication` sends now, or of that only `wanted`, as `blue` (another session) sees
  // it. Tables that vanish meanwhile are left out.
  void Take(pg::Connection& blue, const std::string& publication,
            const std::optional<std::set<TableKey>>& wanted);
  // Shows this session the snapshot of the slot that was created after Take().
  void Import(const std::string& snapshot);
  // True when the plan of a later snapshot names exactly the tables that are locked, none of them
  // rewritten before the lock was there.
  bool Covers(const std::vector<PlannedTable>& plan) const;
  void Release();

  // The session itself. Whatever opens one of the tables while DDL waits for it has to go through
  // here: any other session would queue behind the DDL, which waits for this one, and no server
  // sees that deadlock.
  pg::Connection& session() { return connection_; }

 private:
  pg::Connection connection_;
  std::set<std::pair<uint32_t, uint32_t>> locked_;  // oid, filenode
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SOURCE_LOCK_H_
