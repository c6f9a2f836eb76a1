#ifndef PGTEAL_APPLIER_PROGRESS_ROW_H_
#define PGTEAL_APPLIER_PROGRESS_ROW_H_

#include <cstdint>
#include <optional>
#include <string>

#include "applier/batch.h"
#include "applier/statement_cache.h"
#include "pg/connection.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

// pgteal.progress on green: one row a slot. It is written in the very transaction that it speaks
// of, so it is the authority on what green holds (a replication origin is not: PostgreSQL 16+
// advances it on ROLLBACK too). Its generation fences off every process but the last that took
// over.
struct Progress {
  pg::Lsn end_lsn;
  uint64_t generation = 0;
  uint64_t transactions = 0;
  uint64_t changes = 0;
  pg::Timestamp commit_time;  // of the last transaction; zero before the first
};

std::optional<Progress> ReadProgress(pg::Connection& green, const std::string& slot);
void InsertProgress(pg::Connection& green, const std::string& slot, pg::Lsn end_lsn);

// Takes the deployment over: raises the generation and returns the row as it then is. Waits for a
// transaction of a former process that has written the row and not yet ended, so that its outcome
// is known afterwards. With `expected` set, throws TakenOver when another generation is found.
// Throws ServerError 55P03 when the wait exceeds `lock_timeout_ms`.
Progress TakeOver(pg::Connection& green, const std::string& slot, std::optional<uint64_t> expected,
                  int lock_timeout_ms);

// Has green flush its WAL, with a commit that waits for it. A lane that is about to commit has the
// row: this waits for it.
void FlushProgress(pg::Connection& green, const std::string& slot, uint64_t generation);

// Puts the statement on the pipeline that advances the row; it fails with division_by_zero when the
// generation is not ours, so that the COMMIT behind it is not executed. `has_origin`: it also puts
// blue's position and time of commit on the transaction, for the session's replication origin.
// Returns its index.
size_t SendAdvance(pg::Pipelined& pipelined, StatementCache& statements, const std::string& slot,
                   uint64_t generation, bool has_origin, const Batch& batch);
constexpr const char* kFencedOff = "22012";

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_PROGRESS_ROW_H_
