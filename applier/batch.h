#ifndef PGTEAL_APPLIER_BATCH_H_
#define PGTEAL_APPLIER_BATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "applier/target_relation.h"
#include "decoder/transaction.h"

namespace pgteal::applier {

// What has to happen to one row so that green's table ends as blue's: the net effect of all changes
// of one key in a segment. `deletes` without an image removes the row; with an insert image it
// replaces it.
struct RowEffect {
  enum class Write : uint8_t { kNone, kInsert, kUpdate };

  uint64_t hash = 0;                            // of table and key; 0 for tables without a key
  const decoder::ColumnValue* key = nullptr;    // a tuple in which the key columns are filled
  const decoder::ColumnValue* image = nullptr;  // the row to write
  uint32_t table = 0;                           // index into Segment::tables
  bool deletes = false;
  Write write = Write::kNone;
  // The image still has columns that blue did not send ('u'); only in updates.
  bool has_unchanged = false;
  // Must wait for the commits of all earlier batches.
  bool is_late = false;

  bool is_nothing() const { return !deletes && write == Write::kNone; }
};

struct TableWork {
  std::shared_ptr<const TargetRelation> target;
  std::vector<uint32_t> rows;  // indexes into Segment::rows, in order of first appearance
};

// A change that is executed as it came, in order.
struct ExactChange {
  const decoder::Change* change;
  std::shared_ptr<const TargetRelation> target;
};

struct TruncateWork {
  std::vector<std::shared_ptr<const TargetRelation>> targets;
  bool restart_identity = false;
};

// Work that may be reordered by key: net row effects, then exact changes, then a TRUNCATE. What
// must not be reordered against each other lies in different segments.
struct Segment {
  std::vector<RowEffect> rows;
  std::vector<TableWork> tables;
  std::vector<ExactChange> exact;
  std::optional<TruncateWork> truncate;

  bool is_empty() const { return rows.empty() && exact.empty() && !truncate; }
};

// Segments and the memory that their images point into, beside that of the transactions.
struct Plan {
  std::vector<Segment> segments;
  decoder::Arena arena;
  // Keys of exact changes: rows of later batches that meet them have to wait.
  std::vector<uint64_t> exact_hashes;
};

// Consecutive transactions of blue that are committed on green as one. Owned by the batcher,
// mostly by a lane later on.
struct Batch {
  uint64_t sequence = 0;  // 1, 2, 3 … in commit order
  std::vector<std::unique_ptr<decoder::Transaction>> transactions;
  Plan plan;
  pg::Lsn end_lsn;  // of the last transaction
  pg::Timestamp commit_time;
  // Commit time of the last transaction that wrote rows of tables that are not pgteal's own; none:
  // there is no such transaction.
  std::optional<pg::Timestamp> written_at;
  uint64_t transaction_count = 0;
  uint64_t change_count = 0;
  size_t memory_bytes = 0;
  // Starts after every earlier batch has committed, and none later starts before it has: TRUNCATE,
  // a transaction read from the spool, a changed table mapping.
  bool is_barrier = false;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_BATCH_H_
