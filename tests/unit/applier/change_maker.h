#ifndef PGTEAL_TESTS_UNIT_APPLIER_CHANGE_MAKER_H_
#define PGTEAL_TESTS_UNIT_APPLIER_CHANGE_MAKER_H_

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "applier/target_relation.h"
#include "decoder/arena.h"
#include "decoder/change.h"

namespace pgteal::tests {

// What a test says about one column of a table made by MakeTarget.
struct ColumnSpec {
  std::string name;
  bool is_key = false;
  bool is_generated = false;
  bool is_identity_always = false;
};

// Table public.<name> of text columns; green's and blue's are alike.
inline std::shared_ptr<applier::TargetRelation> MakeTarget(uint32_t oid, const std::string& name,
                                                           const std::vector<ColumnSpec>& columns) {
  constexpr pg::Oid kText{25};
  constexpr pg::Oid kTextArray{1009};
  auto source = std::make_shared<decoder::Relation>();
  auto target = std::make_shared<applier::TargetRelation>();
  source->oid = {oid};
  source->schema = "public";
  source->name = name;
  target->oid = {oid};
  target->schema = "public";
  target->name = name;
  target->qualified = "\"public\".\"" + name + "\"";
  for (const auto& spec : columns) {
    const auto index = static_cast<uint16_t>(source->columns.size());
    source->columns.push_back({.name = spec.name,
                               .type = kText,
                               .typmod = -1,
                               .is_key = spec.is_key,
                               .type_schema = "",
                               .type_name = ""});
    applier::TargetColumn column;
    column.name = "\"" + spec.name + "\"";
    column.type_sql = "\"pg_catalog\".\"text\"";
    column.type = kText;
    column.array_type = kTextArray;
    column.equality = "OPERATOR(pg_catalog.=)";
    column.is_generated = spec.is_generated;
    column.is_identity_always = spec.is_identity_always;
    column.takes_binary = true;
    column.binary_type = kText;
    column.binary_array_type = kTextArray;
    target->columns.push_back(std::move(column));
    if (spec.is_key) {
      source->key_columns.push_back(index);
      target->key.push_back(index);
    }
    if (!spec.is_generated) target->written.push_back(index);
    target->has_identity_always |= spec.is_identity_always && !spec.is_key;
  }
  target->source = std::move(source);
  return target;
}

// One column's value as a test writes it.
struct Cell {
  decoder::ValueKind kind = decoder::ValueKind::kText;
  std::string bytes;

  Cell(const char* text) : bytes(text) {}              // NOLINT: "x" is a cell in a row
  Cell(std::string text) : bytes(std::move(text)) {}   // NOLINT
  Cell(decoder::ValueKind special) : kind(special) {}  // NOLINT
};
using Cells = std::vector<Cell>;
constexpr auto kNull = decoder::ValueKind::kNull;
constexpr auto kUnchanged = decoder::ValueKind::kUnchangedToast;

inline Cell BinaryCell(std::string bytes) {
  Cell cell(std::move(bytes));
  cell.kind = decoder::ValueKind::kBinary;
  return cell;
}

// Makes changes and owns what they point to.
class ChangeMaker {
 public:
  using Target = applier::TargetRelation;

  decoder::Tuple Row(const Cells& cells) {
    auto* values = arena_.AllocateArray<decoder::ColumnValue>(cells.size());
    for (size_t i = 0; i < cells.size(); ++i) {
      const auto bytes = arena_.Copy(cells[i].bytes);
      values[i] = {bytes.data(), static_cast<uint32_t>(bytes.size()), cells[i].kind};
    }
    return {values, static_cast<uint32_t>(cells.size())};
  }

  const decoder::Change& Insert(const Target& target, const Cells& row) {
    auto& change = New(decoder::ChangeKind::kInsert, target);
    change.new_tuple = Row(row);
    return change;
  }
  const decoder::Change& Update(const Target& target, const Cells& row) {
    auto& change = New(decoder::ChangeKind::kUpdate, target);
    change.new_tuple = Row(row);
    return change;
  }
  const decoder::Change& Update(const Target& target, decoder::OldTuple old_kind, const Cells& old,
                                const Cells& row) {
    auto& change = New(decoder::ChangeKind::kUpdate, target);
    change.old_kind = old_kind;
    change.old_tuple = Row(old);
    change.new_tuple = Row(row);
    return change;
  }
  const decoder::Change& Delete(const Target& target, decoder::OldTuple old_kind,
                                const Cells& old) {
    auto& change = New(decoder::ChangeKind::kDelete, target);
    change.old_kind = old_kind;
    change.old_tuple = Row(old);
    return change;
  }

 private:
  decoder::Change& New(decoder::ChangeKind kind, const Target& target) {
    auto& change = changes_.emplace_back();
    change.kind = kind;
    change.relation = target.source.get();
    return change;
  }

  decoder::Arena arena_;
  std::deque<decoder::Change> changes_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_UNIT_APPLIER_CHANGE_MAKER_H_
