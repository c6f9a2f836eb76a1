#include "tests/support/change_text.h"

#include <fmt/format.h>

namespace pgteal::tests {
namespace {

using decoder::Change;
using decoder::ChangeKind;
using decoder::OldTuple;

std::string RelationText(const decoder::Relation& relation) {
  std::string text = fmt::format("{}.{}[", relation.schema, relation.name);
  for (const decoder::Column& column : relation.columns) {
    text += fmt::format(
        "{}{}:{} ", column.is_key ? "*" : "", column.name,
        column.type_name.empty() ? std::to_string(column.type.value) : column.type_name);
  }
  return text + "]";
}

std::string TupleText(char mark, const decoder::Tuple& tuple) {
  if (tuple.empty()) return "";
  std::string text = fmt::format(" {}(", mark);
  for (const decoder::ColumnValue& value : tuple)
    text += fmt::format("{}'{}' ", static_cast<char>(value.kind), value.bytes());
  return text + ")";
}

std::string RowText(std::string_view kind, const Change& change) {
  const char mark = change.old_kind == OldTuple::kKey ? 'K' : 'O';
  return fmt::format("{} {}{}{} @{}", kind, RelationText(*change.relation),
                     TupleText(mark, change.old_tuple), TupleText('N', change.new_tuple),
                     change.lsn);
}

std::string TruncateText(const Change& change) {
  std::string text = "truncate";
  for (uint32_t i = 0; i < change.truncated_count; ++i)
    text += " " + RelationText(*change.truncated[i]);
  if (change.truncate_options.cascade) text += " cascade";
  if (change.truncate_options.restart_identity) text += " restart identity";
  return text + fmt::format(" @{}", change.lsn);
}

}  // namespace

std::string ChangeText(const Change& change) {
  switch (change.kind) {
    case ChangeKind::kInsert:
      return RowText("insert", change);
    case ChangeKind::kUpdate:
      return RowText("update", change);
    case ChangeKind::kDelete:
      return RowText("delete", change);
    case ChangeKind::kTruncate:
      return TruncateText(change);
    case ChangeKind::kMessage:
      return fmt::format("message {}{} '{}' '{}' @{}",
                         change.message->transactional ? "transactional " : "", change.message->lsn,
                         change.message->prefix, change.message->content, change.lsn);
  }
  return "";
}

std::vector<std::string> ChangeTexts(decoder::Transaction* transaction, size_t bytes_max) {
  std::vector<std::string> texts;
  for (const Change& change : transaction->block.changes) texts.push_back(ChangeText(change));
  if (transaction->source == nullptr) return texts;
  decoder::ChangeBlock block;
  while (transaction->source->Next(bytes_max, &block))
    for (const Change& change : block.changes) texts.push_back(ChangeText(change));
  return texts;
}

}  // namespace pgteal::tests
