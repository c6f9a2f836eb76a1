#include "tools/inspect/change_json.h"

#include <fmt/format.h>

#include <string_view>

#include "tools/cli/time_text.h"

namespace pgteal::tools {
namespace {

using decoder::Change;
using decoder::ChangeKind;
using decoder::OldTuple;
using decoder::Relation;
using decoder::Tuple;
using decoder::ValueKind;

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

// Bytes of unknown encoding: as text when they are UTF-8.
Json TextJson(std::string_view bytes) {
  Json text = std::string(bytes);
  try {
    (void)text.dump();
    return text;
  } catch (const Json::type_error&) {
    return {{"text_hex", Hex(bytes)}};
  }
}

// Of a key tuple only the key's columns: the others were not sent.
Json RowJson(const Relation& relation, const Tuple& tuple, bool is_key) {
  Json row = Json::object();
  for (size_t i = 0; i < tuple.count; ++i) {
    if (is_key && !relation.columns[i].is_key) continue;
    row[relation.columns[i].name] = ValueJson(tuple[i]);
  }
  return row;
}

void AddTruncate(const Change& change, Json* json) {
  Json tables = Json::array();
  for (uint32_t i = 0; i < change.truncated_count; ++i) {
    const Relation& relation = *change.truncated[i];
    tables.push_back({{"schema", relation.schema}, {"table", relation.name}});
  }
  (*json)["tables"] = std::move(tables);
  (*json)["cascade"] = change.truncate_options.cascade;
  (*json)["restart_identity"] = change.truncate_options.restart_identity;
}

std::string RowText(const Json& row) {
  std::string out;
  for (const auto& column : row.items()) {
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", column.key(), column.value().dump());
  }
  return "(" + out + ")";
}

std::string TruncateText(const Change& change) {
  std::string out = "truncate";
  for (uint32_t i = 0; i < change.truncated_count; ++i) {
    out += fmt::format("{} {}.{}", i == 0 ? "" : ",", change.truncated[i]->schema,
                       change.truncated[i]->name);
  }
  if (change.truncate_options.restart_identity) out += " restart identity";
  if (change.truncate_options.cascade) out += " cascade";
  return out;
}

}  // namespace

Json ValueJson(const decoder::ColumnValue& value) {
  switch (value.kind) {
    case ValueKind::kNull:
      return nullptr;
    case ValueKind::kUnchangedToast:
      return {{"unchanged", true}};
    case ValueKind::kText:
      return TextJson(value.bytes());
    case ValueKind::kBinary:
      break;
  }
  return {{"hex", Hex(value.bytes())}};
}

Json ChangeJson(const Change& change) {
  Json json = {{"kind", KindName(change.kind)}, {"lsn", change.lsn.ToString()}};
  if (change.kind == ChangeKind::kTruncate) {
    AddTruncate(change, &json);
  } else if (change.kind == ChangeKind::kMessage) {
    json["transactional"] = change.message->transactional;
    json["prefix"] = TextJson(change.message->prefix);
    json["content"] = TextJson(change.message->content);
  } else {
    json["schema"] = change.relation->schema;
    json["table"] = change.relation->name;
    const bool is_key = change.old_kind == OldTuple::kKey;
    if (!change.old_tuple.empty()) {
      json[is_key ? "key" : "old"] = RowJson(*change.relation, change.old_tuple, is_key);
    }
    if (!change.new_tuple.empty()) {
      json["new"] = RowJson(*change.relation, change.new_tuple, false);
    }
  }
  return json;
}

std::string ChangeText(const Change& change) {
  if (change.kind == ChangeKind::kTruncate) return TruncateText(change);
  const Json json = ChangeJson(change);
  if (change.kind == ChangeKind::kMessage) {
    return fmt::format("message {} {}", json["prefix"].dump(), json["content"].dump());
  }
  std::string out = fmt::format("{} {}.{}", KindName(change.kind), change.relation->schema,
                                change.relation->name);
  for (const char* part : {"key", "old", "new"}) {
    if (json.contains(part)) out += fmt::format(" {} {}", part, RowText(json[part]));
  }
  return out;
}

Json BeginJson(const decoder::Transaction& transaction) {
  Json json = {{"kind", "begin"},
               {"xid", transaction.xid.value},
               {"commit_lsn", transaction.commit_lsn.ToString()},
               {"end_lsn", transaction.end_lsn.ToString()},
               {"commit_time", TimeText(transaction.commit_time)},
               {"changes", transaction.change_count}};
  if (!transaction.origin.empty()) json["origin"] = TextJson(transaction.origin);
  return json;
}

std::string BeginText(const decoder::Transaction& transaction) {
  std::string out = fmt::format("begin xid={} commit_lsn={} end_lsn={} commit_time={} changes={}",
                                transaction.xid.value, transaction.commit_lsn, transaction.end_lsn,
                                TimeText(transaction.commit_time), transaction.change_count);
  if (!transaction.origin.empty()) out += " origin=" + TextJson(transaction.origin).dump();
  return out;
}

}  // namespace pgteal::tools
