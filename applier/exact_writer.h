#ifndef PGTEAL_APPLIER_EXACT_WRITER_H_
#define PGTEAL_APPLIER_EXACT_WRITER_H_

#include <memory>
#include <string>
#include <vector>

#include "applier/conflict.h"
#include "applier/row_writer.h"
#include "decoder/change.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

// Executes changes as they came, one statement each, and knows which change a failure belongs to.
// With the policy kStop everything is pipelined; with another each change stands in a savepoint.
// One lane's thread; inside an open transaction.
class ExactWriter {
 public:
  ExactWriter(pg::Pipelined& pipelined, RowWriter& rows, ConflictPolicy policy, std::string slot)
      : pipelined_(pipelined), rows_(rows), policy_(policy), slot_(std::move(slot)) {}

  void Apply(const decoder::Change& change, const TargetRelation& target,
             const ChangeOrigin& origin);
  void Truncate(const std::vector<const TargetRelation*>& targets, bool restart_identity,
                const ChangeOrigin& origin);
  // Waits for all answers. Throws with table, key columns, xid and LSN when a change failed or did
  // not find its row.
  void Finish();
  void Reset() { sent_.clear(); }
  uint64_t conflicts() const { return conflicts_; }

 private:
  // Enough to hide the round trips; small enough to keep few answers.
  static constexpr size_t kPipelinedMax = 2000;

  struct Sent {
    size_t index;
    decoder::ChangeKind kind;
    const TargetRelation* target;
    pg::Lsn lsn;
    ChangeOrigin origin;
  };
  enum class Found : uint8_t { kRow, kNoRow, kSeveral, kViolation };

  void ApplyOne(const decoder::Change& change, const TargetRelation& target,
                const ChangeOrigin& origin);
  size_t Send(const decoder::Change& change, const TargetRelation& target);
  // Waits for the answer: the number of rows that were changed. Replaces the row where the
  // statement would have to write an ALWAYS identity column.
  uint64_t Write(const decoder::Change& change, const TargetRelation& target);
  uint64_t Replace(const decoder::Change& change, const TargetRelation& target);
  void ApplyWithPolicy(const decoder::Change& change, const TargetRelation& target,
                       const ChangeOrigin& origin);
  Found TryOne(const decoder::Change& change, const TargetRelation& target, std::string* reason);
  void Overwrite(const decoder::Change& change, const TargetRelation& target, Found found);
  // The same for a row that blue has and green has not, though maybe another one with its key.
  void Put(const decoder::Change& change, const TargetRelation& target);
  // Deletes the rows that a unique index other than the key's sets against the new one, but not the
  // row that `own_row` (may be null) finds.
  void MakeRoom(const decoder::Change& change, const TargetRelation& target,
                const decoder::ColumnValue* own_row);
  void DeleteOthers(const TargetRelation& target, const ColumnList& columns,
                    const decoder::ColumnValue* row, const decoder::ColumnValue* own_row);
  [[noreturn]] void ThrowNotOne(const Sent& sent, uint64_t rows) const;
  static std::string Describe(const Sent& sent);

  pg::Pipelined& pipelined_;
  RowWriter& rows_;
  const ConflictPolicy policy_;
  const std::string slot_;
  std::vector<Sent> sent_;
  uint64_t conflicts_ = 0;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_EXACT_WRITER_H_
