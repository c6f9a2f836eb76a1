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

  // Locks what `publication` sends now, or of that only `wanted`. Tables that vanish meanwhile are
  // left out.
  void Take(const std::string& publication, const std::optional<std::set<TableKey>>& wanted);
  // True when the plan of a later snapshot names exactly the tables that are locked, none of them
  // rewritten before the lock was there.
  bool Covers(const std::vector<PlannedTable>& plan) const;
  void Release();

 private:
  pg::Connection connection_;
  std::set<std::pair<uint32_t, uint32_t>> locked_;  // oid, filenode
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SOURCE_LOCK_H_
