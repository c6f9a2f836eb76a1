#ifndef PGTEAL_APPLIER_FOLDER_H_
#define PGTEAL_APPLIER_FOLDER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "applier/batch.h"

namespace pgteal::applier {

// Folds a run of changes into the net effect per row. Changes and their memory must outlive the
// plan. Pure: no server, no clock. One thread.
//
//   insert + update = insert with the merged image      update + delete = delete
//   insert + delete = nothing                           delete + insert = delete and insert
//   update + update = update with the merged image
//
// A column that blue did not send because its TOAST value is unchanged is taken from the earlier
// image, from the old tuple under FULL, or left out of the update; never NULL, never a default.
class Folder {
 public:
  // `plan` is filled; it must outlive the folder.
  explicit Folder(Plan* plan);

  void Add(const decoder::Change& change, const std::shared_ptr<const TargetRelation>& target);
  void AddTruncate(TruncateWork work);

  // Row effects, exact changes and truncates so far.
  size_t row_count() const { return row_count_; }

 private:
  using Values = const decoder::ColumnValue*;

  Segment& segment() { return plan_->segments.back(); }
  void StartSegment();
  uint32_t TableIndex(const std::shared_ptr<const TargetRelation>& target);
  // The effect of this key, made when there is none yet.
  RowEffect& Effect(const TargetRelation& target, uint32_t table, Values key, bool* is_new);
  RowEffect& NewRow(uint32_t table, uint64_t hash, Values key);
  void Grow();

  // Each returns false when the change cannot be folded into what is there (a second insert of a
  // row, an update of a deleted one): it then begins a new segment and meets green as it is.
  [[nodiscard]] bool Insert(const TargetRelation& target, uint32_t table, Values row);
  [[nodiscard]] bool Update(const TargetRelation& target, uint32_t table, Values key, Values row);
  [[nodiscard]] bool Delete(const TargetRelation& target, uint32_t table, Values key);
  [[nodiscard]] bool Fold(const decoder::Change& change, const TargetRelation& target,
                          uint32_t table);
  void AddExact(const decoder::Change& change, const std::shared_ptr<const TargetRelation>& target);
  bool MovesKey(const decoder::Change& change, const TargetRelation& target) const;
  bool CanFoldMove(const decoder::Change& change, const TargetRelation& target);

  // `row` with its unchanged columns filled from `earlier` (may be null).
  Values Merge(const TargetRelation& target, Values earlier, Values row);

  Plan* const plan_;
  size_t row_count_ = 0;
  // Open addressing: 1 + index into the segment's rows, 0 for free.
  std::vector<uint32_t> slots_;
  size_t keyed_rows_ = 0;
  // The segment has an exact change of a table whose other changes are folded.
  bool has_mixed_exact_ = false;
  // Memo: changes come in runs of one table.
  const TargetRelation* last_target_ = nullptr;
  uint32_t last_table_ = 0;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_FOLDER_H_
