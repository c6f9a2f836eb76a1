#ifndef PGTEAL_APPLIER_BATCH_COMMIT_H_
#define PGTEAL_APPLIER_BATCH_COMMIT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "applier/batch.h"
#include "applier/side_names.h"
#include "applier/statement_cache.h"
#include "pg/connection.h"
#include "pg/lsn.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

// A batch that is committed on green.
struct Applied {
  pg::Lsn insert_lsn;  // green's WAL insert position just after the commit
  pg::Lsn flush_lsn;   // green's WAL flush position then
  bool was_exact = false;
  uint64_t conflicts = 0;
};

struct CommitOptions {
  std::string slot;
  std::string origin;  // replication origin that tags our commits; empty for none
  SideNames sides = {};
};

// How a lane's transactions end: with the progress row, the replication origin's stamp and COMMIT.
// Belongs to the lane's thread.
class BatchCommit {
 public:
  BatchCommit(pg::Connection& connection, pg::Pipelined& pipelined, StatementCache& statements,
              CommitOptions options);

  // Executes the session's `settings` and takes the origin, in one round trip.
  void SetUp(const std::string& settings);
  // The progress row has this generation and whoever had it before has no session left.
  void Own(uint64_t generation);

  // Puts the progress row's statement on the pipeline; returns its index.
  size_t SendProgress(const Batch& batch);
  // COMMIT, when the caller is content with the rows; `progress` is what SendProgress() returned.
  // Throws TakenOver when the generation is not ours any more, StatementFailed when green has not
  // committed, CommitInDoubt when that is not known.
  void Finish(size_t progress, Applied* applied);

 private:
  std::string OriginSql() const;
  pg::Lsn ParseLsn(std::string_view text) const;
  [[noreturn]] void ThrowNoPosition() const;

  pg::Connection& connection_;
  pg::Pipelined& pipelined_;
  StatementCache& statements_;
  const CommitOptions options_;
  uint64_t generation_ = 0;
  bool has_origin_ = false;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_BATCH_COMMIT_H_
