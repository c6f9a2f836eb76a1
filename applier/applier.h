#ifndef PGTEAL_APPLIER_APPLIER_H_
#define PGTEAL_APPLIER_APPLIER_H_

#include <functional>
#include <string>

#include "applier/batch.h"
#include "applier/batch_commit.h"
#include "applier/exact_writer.h"
#include "applier/set_writer.h"
#include "applier/target_resolver.h"
#include "applier/turn.h"
#include "decoder/early_transaction.h"
#include "pg/connection.h"

namespace pgteal::applier {

struct ApplierOptions {
  std::string slot;
  // Off: a commit is confirmed to blue only once green's WAL flush position has passed it.
  bool synchronous_commit = false;
  bool replica_role = true;  // SET session_replication_role = replica
  std::string origin;        // replication origin that tags our commits; empty for none
  ConflictPolicy on_conflict = ConflictPolicy::kStop;
  SideNames sides = {};
  // From this many rows of one table on, inserts go through COPY: cheaper a row than arrays, but
  // three round trips.
  size_t copy_rows_min = kCopyRowsMin;
  // Of a spooled transaction, this much is in memory at a time.
  size_t block_bytes = 8 << 20;
  // A batch that fails for a transient reason is repeated so often before the session is.
  int transient_retries_max = 10;
};

// One lane's session on green: takes a batch to its commit. First the net row effects (folded
// mode), and if green does not agree with them, change by change (exact mode), which finds the very
// row. Belongs to one thread.
class Applier {
 public:
  Applier(const pg::ConnInfo& target, const pg::SessionOptions& session,
          const ApplierOptions& options, RelationMapper& mapper);

  // Before the first batch, once the progress row has this generation and whoever had it before has
  // no session left.
  void Own(uint64_t generation) { commit_.Own(generation); }

  // Early: a transaction of blue before it has committed there. Writes its changes as they come
  // into a transaction that stays open. `await_applied` returns once everything that ends at or
  // before an LSN is on green, or throws Interrupted. True when all of it is there and blue has
  // committed: then CommitEarly(). False when it cannot be done early, with nothing left on green.
  bool WriteEarly(decoder::EarlyTransaction& early,
                  const std::function<void(pg::Lsn)>& await_applied);
  // Like Apply(), for the batch that is just that transaction.
  Applied CommitEarly(Batch& batch, Turn& turn);
  // Instead, or after Interrupted.
  void DropEarly() { RollBack(); }

  // Returns after the commit. Throws ServerError or Error when a person is needed, ConnectionLost,
  // CommitInDoubt, TakenOver, BinaryRefused, Interrupted; green then holds nothing of the batch
  // (or, with CommitInDoubt, all or nothing).
  Applied Apply(Batch& batch, Turn& turn);

  int backend_pid() const { return connection_.backend_pid(); }

 private:
  enum class Attempt : uint8_t { kDone, kRepeat, kGoExact };

  // Runs `work`, turning what green says into the next attempt. Rolls back unless kDone.
  template <typename Work>
  Attempt Try(Work work, bool is_exact);
  void SetUpSession();
  void Begin();
  bool WriteFolded(const Batch& batch, bool with_early);
  bool WriteSegment(const Segment& segment, bool with_early, const ChangeOrigin& origin);
  bool WriteSpooled(decoder::Transaction& transaction);
  bool WriteEarlyBlock(const decoder::ChangeBlock& block, const ChangeOrigin& origin);
  void WriteExact(Batch& batch);
  void WriteExactBlock(const decoder::ChangeBlock& block, const ChangeOrigin& origin);
  Applied ApplySmall(Batch& batch);
  bool WriteAndCommit(const Batch& batch, Applied* applied);
  void Commit(const Batch& batch, Applied* applied);
  void RollBack();
  void ExecThoughCanceled(const char* sql);
  Applied ApplyInTurn(Batch& batch, bool is_exact);

  const ApplierOptions options_;
  pg::Connection connection_;
  pg::Pipelined pipelined_;
  StatementCache statements_;
  RowWriter row_writer_;
  SetWriter set_writer_;
  ExactWriter exact_writer_;
  TargetResolver resolver_;
  BatchCommit commit_;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_APPLIER_H_
