#ifndef PGTEAL_PIPELINE_BLUE_SNAPSHOT_H_
#define PGTEAL_PIPELINE_BLUE_SNAPSHOT_H_

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "applier/side_names.h"
#include "pg/connection.h"
#include "pg/lsn.h"
#include "pg/replication.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

using Sessions = std::vector<std::unique_ptr<pg::Connection>>;

// ACCESS SHARE, as long as the transaction lasts. A table that cannot be had soon is left out.
void LockTables(pg::Connection& session, const std::vector<std::string>& tables);

// Begins a read-only transaction in each session that shows an exported snapshot.
void ImportSnapshot(std::span<const std::unique_ptr<pg::Connection>> sessions,
                    std::string_view snapshot);

// A snapshot of blue whose LSN is known exactly: that of a temporary slot. Main thread.
class BlueSnapshot {
 public:
  // `session`: for the walsender session, which ends with this object.
  BlueSnapshot(const pg::ConnInfo& source, const pg::SessionOptions& session);

  pg::SystemIdentity Identify() { return stream_.IdentifySystem(); }
  // Lets `sessions` show it. None when transactions that write on blue did not end by the deadline;
  // this object is then useless.
  [[nodiscard]] std::optional<pg::Lsn> Take(const std::string& slot, const Sessions& sessions,
                                            pg::Deadline deadline);

 private:
  pg::ReplicationConnection stream_;
};

// Returns once every transaction that has been writing on blue for longer than a moment has ended;
// names them meanwhile. Without privileges to see more it goes by locks. Throws Interrupted.
void AwaitWriters(pg::Connection& blue, const applier::SideNames& sides,
                  const std::atomic<bool>& stop);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BLUE_SNAPSHOT_H_
