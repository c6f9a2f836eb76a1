#include "applier/folder.h"

#include <algorithm>
#include <utility>

#include "applier/errors.h"
#include "applier/row_key.h"
#include "pg/error.h"

namespace pgteal::applier {
namespace {

using decoder::Change;
using decoder::ChangeKind;
using decoder::ColumnValue;
using decoder::OldTuple;
using Write = RowEffect::Write;

constexpr size_t kFirstSlots = 64;

bool HasUnchanged(const TargetRelation& target, const ColumnValue* row) {
  const size_t count = target.columns.size();
  return std::any_of(row, row + count, [](const ColumnValue& v) { return v.is_unchanged(); });
}

}  // namespace

Folder::Folder(Plan* plan) : plan_(plan) { StartSegment(); }

void Folder::StartSegment() {
  if (plan_->segments.empty() || !segment().is_empty()) plan_->segments.emplace_back();
  slots_.assign(kFirstSlots, 0);
  keyed_rows_ = 0;
  has_mixed_exact_ = false;
  last_target_ = nullptr;
}

void Folder::Add(const Change& change, const std::shared_ptr<const TargetRelation>& target) {
  // Exact changes of a segment run after its folded rows. A table of exact mode has none of those;
  // for any other, what follows goes to a new segment.
  const bool is_exact = target->mode == ApplyMode::kExact ||
                        (change.kind == ChangeKind::kUpdate && MovesKey(change, *target) &&
                         !CanFoldMove(change, *target)) ||
                        (change.kind != ChangeKind::kInsert && target->key.empty());
  if (is_exact) return AddExact(change, target);
  if (has_mixed_exact_) StartSegment();
  if (Fold(change, *target, TableIndex(target))) return;
  StartSegment();
  if (!Fold(change, *target, TableIndex(target))) {
    throw pg::ProtocolError("a change cannot be folded into an empty segment");
  }
}

void Folder::AddExact(const Change& change, const std::shared_ptr<const TargetRelation>& target) {
  // Called for its new segment: changes of another version of this table may be folded and must not
  // overtake this one.
  TableIndex(target);
  segment().exact.push_back({&change, target});
  has_mixed_exact_ |= target->mode != ApplyMode::kExact;
  ++row_count_;
  if (target->key.empty()) return;
  if (!change.old_tuple.empty()) {
    plan_->exact_hashes.push_back(HashKey(*target, change.old_tuple.values));
  }
  if (!change.new_tuple.empty()) {
    plan_->exact_hashes.push_back(HashKey(*target, change.new_tuple.values));
  }
}

void Folder::AddTruncate(TruncateWork work) {
  segment().truncate = std::move(work);
  ++row_count_;
  StartSegment();
}

bool Folder::Fold(const Change& change, const TargetRelation& target, uint32_t table) {
  const Values old_row = change.old_tuple.values;
  const Values new_row = change.new_tuple.values;
  switch (change.kind) {
    case ChangeKind::kInsert:
      return Insert(target, table, new_row);
    case ChangeKind::kDelete:
      return Delete(target, table, old_row);
    case ChangeKind::kUpdate: {
      // Under FULL the old row has what the new one leaves out.
      const bool has_old_row = change.old_kind == OldTuple::kFull;
      const Values row = has_old_row ? Merge(target, old_row, new_row) : new_row;
      if (!MovesKey(change, target)) return Update(target, table, row, row);
      // Looked at first: a change that does not fit must leave no trace here.
      bool is_new = false;
      if (Effect(target, table, row, &is_new).write != Write::kNone) return false;
      if (!Delete(target, table, old_row)) return false;
      return Insert(target, table, row);
    }
    case ChangeKind::kTruncate:
    case ChangeKind::kMessage:
      break;
  }
  throw pg::ProtocolError("neither a TRUNCATE nor a message is a row change");
}

bool Folder::Insert(const TargetRelation& target, uint32_t table, Values row) {
  if (HasUnchanged(target, row)) ThrowUnsentValue(target);
  if (target.key.empty()) {
    RowEffect& effect = NewRow(table, 0, row);
    effect.write = Write::kInsert;
    effect.image = row;
    return true;
  }
  bool is_new = false;
  RowEffect& effect = Effect(target, table, row, &is_new);
  if (effect.write != Write::kNone) return false;
  effect.write = Write::kInsert;
  effect.image = row;
  effect.has_unchanged = false;
  return true;
}

bool Folder::Update(const TargetRelation& target, uint32_t table, Values key, Values row) {
  for (const uint16_t column : target.key) {
    if (key[column].is_unchanged()) {
      throw pg::ProtocolError(
          target.sides.Format("blue sent an update of {} without its key column {}",
                              target.DisplayName(), target.source->columns[column].name));
    }
  }
  bool is_new = false;
  RowEffect& effect = Effect(target, table, key, &is_new);
  if (!is_new && effect.write == Write::kNone) return false;
  effect.image = Merge(target, effect.image, row);
  effect.has_unchanged = HasUnchanged(target, effect.image);
  if (is_new) effect.write = Write::kUpdate;
  return true;
}

bool Folder::Delete(const TargetRelation& target, uint32_t table, Values key) {
  bool is_new = false;
  RowEffect& effect = Effect(target, table, key, &is_new);
  if (!is_new && effect.write == Write::kNone && (effect.deletes || effect.image != nullptr)) {
    return false;
  }
  // A row that this very segment inserted leaves nothing to delete on green.
  if (effect.write != Write::kInsert) effect.deletes = true;
  effect.write = Write::kNone;
  return true;
}

bool Folder::MovesKey(const Change& change, const TargetRelation& target) const {
  // PostgreSQL also sends an old key that is equal when it is stored out of line.
  return change.old_kind != OldTuple::kNone && !target.key.empty() &&
         !SameKey(target, change.old_tuple.values, change.new_tuple.values);
}

// Delete and insert stand for a moved key only if the insert says everything about the row.
bool Folder::CanFoldMove(const Change& change, const TargetRelation& target) {
  return !target.has_extra_columns && !target.has_identity_always &&
         (change.old_kind == OldTuple::kFull || !HasUnchanged(target, change.new_tuple.values));
}

Folder::Values Folder::Merge(const TargetRelation& target, Values earlier, Values row) {
  if (earlier == nullptr || !HasUnchanged(target, row)) return row;
  const size_t count = target.columns.size();
  auto* merged = plan_->arena.AllocateArray<ColumnValue>(count);
  for (size_t i = 0; i < count; ++i) merged[i] = row[i].is_unchanged() ? earlier[i] : row[i];
  return merged;
}

uint32_t Folder::TableIndex(const std::shared_ptr<const TargetRelation>& target) {
  if (target.get() == last_target_) return last_table_;
  const auto find = [this](const auto& matches) {
    const auto& tables = segment().tables;
    return static_cast<uint32_t>(std::find_if(tables.begin(), tables.end(), matches) -
                                 tables.begin());
  };
  uint32_t table = find([&](const TableWork& work) { return work.target == target; });
  if (table == segment().tables.size()) {
    // The table was altered in between: rows of its two versions must not be reordered.
    if (find([&](const TableWork& work) { return work.target->oid == target->oid; }) < table) {
      StartSegment();
      table = 0;
    }
    segment().tables.push_back({.target = target, .rows = {}});
  }
  last_target_ = target.get();
  last_table_ = table;
  return table;
}

RowEffect& Folder::NewRow(uint32_t table, uint64_t hash, Values key) {
  auto& rows = segment().rows;
  segment().tables[table].rows.push_back(static_cast<uint32_t>(rows.size()));
  ++row_count_;
  return rows.emplace_back(RowEffect{.hash = hash, .key = key, .image = nullptr, .table = table});
}

RowEffect& Folder::Effect(const TargetRelation& target, uint32_t table, Values key, bool* is_new) {
  const uint64_t hash = HashKey(target, key);
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0) {
      *is_new = true;
      RowEffect& row = NewRow(table, hash, key);
      slots_[slot] = static_cast<uint32_t>(segment().rows.size());
      if (++keyed_rows_ * 2 > slots_.size()) Grow();
      return row;
    }
    RowEffect& row = segment().rows[slots_[slot] - 1];
    if (row.hash == hash && row.table == table && SameKey(target, row.key, key)) {
      *is_new = false;
      return row;
    }
  }
}

void Folder::Grow() {
  std::vector<uint32_t> old(slots_.size() * 4, 0);
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const uint32_t entry : old) {
    if (entry == 0) continue;
    size_t slot = segment().rows[entry - 1].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = entry;
  }
}

}  // namespace pgteal::applier
