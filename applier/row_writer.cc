#include "applier/row_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "applier/errors.h"

namespace pgteal::applier {

using decoder::ValueKind;

void RowWriter::AddParams(const TargetRelation& target, const ColumnList& columns, Values row,
                          bool skip_null) {
  const bool is_binary_row = std::any_of(columns.begin(), columns.end(), [row](uint16_t column) {
    return row[column].kind == ValueKind::kBinary;
  });
  for (const uint16_t column : columns) {
    const auto& value = row[column];
    if (value.is_null() && skip_null) continue;
    const auto& to = target.columns[column];
    // A NULL goes as its neighbours do, so that it makes no statement of its own. Text takes the
    // type that green's column has by now.
    const bool is_binary =
        value.is_null() ? to.takes_binary && is_binary_row : value.kind == ValueKind::kBinary;
    types_.push_back(is_binary ? to.binary_type : pg::Oid{});
    if (value.is_null()) {
      params_.AddNull();
    } else if (value.kind == ValueKind::kBinary) {
      if (!to.takes_binary) {
        throw BinaryRefused(fmt::format("column {} of {} cannot be written in binary form",
                                        target.source->columns[column].name, target.DisplayName()));
      }
      params_.AddBinary(value.bytes());
    } else {
      params_.AddText(texts_.emplace_back(value.bytes()));
    }
  }
}

size_t RowWriter::Send(const std::string& sql) {
  const size_t index =
      pipelined_.SendPrepared(statements_.Prepare(pipelined_, sql, types_), params_);
  params_.Clear();
  types_.clear();
  texts_.clear();
  return index;
}

size_t RowWriter::Insert(const TargetRelation& target, Values row) {
  for (const uint16_t column : target.written) {
    if (row[column].is_unchanged()) ThrowUnsentValue(target);
  }
  AddParams(target, target.written, row, false);
  return Send(InsertRowSql(target, target.written));
}

std::string RowWriter::Match(const TargetRelation& target, Values old_row) {
  const size_t first = static_cast<size_t>(params_.count()) + 1;
  if (!target.key.empty()) {
    AddParams(target, target.key, old_row, true);
    return MatchSql(target, target.key, old_row, false, first);
  }
  AddParams(target, target.written, old_row, true);
  return OneOfSql(target, MatchSql(target, target.written, old_row, true, first));
}

size_t RowWriter::Update(const TargetRelation& target, Values old_row, Values row, bool moves_key) {
  ColumnList assigned;
  for (const uint16_t column : target.written) {
    if (row[column].is_unchanged() || target.columns[column].is_identity_always) continue;
    if (!moves_key && target.IsKey(column)) continue;
    assigned.push_back(column);
  }
  AddParams(target, assigned, row, false);
  std::string condition = Match(target, old_row);
  const ColumnList fixed = FixedColumns(target);
  if (!fixed.empty()) {
    const size_t first = static_cast<size_t>(params_.count()) + 1;
    AddParams(target, fixed, row, true);
    condition += " AND " + MatchSql(target, fixed, row, false, first);
  }
  // Nothing to write, but the row has to be there.
  if (assigned.empty()) return Send(FindRowSql(target, condition));
  return Send(UpdateRowSql(target, assigned, condition));
}

size_t RowWriter::Delete(const TargetRelation& target, Values old_row) {
  const std::string condition = Match(target, old_row);
  return Send(DeleteRowSql(target, condition));
}

size_t RowWriter::DeleteOthers(const TargetRelation& target, const ColumnList& unique, Values row,
                               Values own_row) {
  AddParams(target, unique, row, true);
  std::string condition = MatchSql(target, unique, row, false, 1);
  if (own_row != nullptr) condition += fmt::format(" AND ({}) IS NOT TRUE", Match(target, own_row));
  return Send(DeleteRowSql(target, condition));
}

}  // namespace pgteal::applier
