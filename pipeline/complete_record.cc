#include "pipeline/complete_record.h"

#include <sstream>
#include <string_view>
#include <vector>

#include "applier/renamed_table.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kMark = "";  // the name of the row that is for no table
constexpr std::string_view kEach = "each";
constexpr std::string_view kOids = "oids";
constexpr const char* kNoOids = "";
constexpr std::string_view kBehind = "behind ";
using applier::kGreenTable;

void ReadMark(const std::string& definition, CompleteRecord* record) {
  static_assert(kEach.size() == kOids.size());
  record->exists = true;
  record->has_each = definition.starts_with(kEach);
  record->has_oids = record->has_each || definition.starts_with(kOids);
  if (record->has_oids) record->containers = definition.substr(kEach.size());
}

// Of a database that was dumped and restored it tells nothing: all oids are others there.
void ReadOnGreen(const std::string& definition, CompleteRecord* record) {
  std::istringstream words(definition.substr(kGreenTable.size()));
  Oid own_table;
  Oid blue;
  Oid green;
  words >> own_table >> blue >> green;
  if (own_table == record->own_table) record->on_green[blue] = green;
}

}  // namespace

CompleteRecord ReadRecord(pg::Connection& green, const std::string& deployment,
                          const std::string& kind) {
  const auto rows = green.Exec(
      "SELECT object, definition FROM pgteal.schema_baseline WHERE deployment = $1 AND kind = $2",
      {deployment, kind});
  CompleteRecord record;
  record.own_table = green.Exec("SELECT 'pgteal.schema_baseline'::regclass::oid").String(0, 0);
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string name = rows.String(i, 0);
    const std::string definition = rows.String(i, 1);
    record.rows[definition] = name;
    if (name == kMark) {
      ReadMark(definition, &record);
    } else if (definition == kNoOids) {
      record.names.insert(name);
    } else if (definition.starts_with(kBehind)) {
      record.behind.insert(definition.substr(kBehind.size()));
      record.tables_behind.insert(TableOf(definition));
    } else if (definition.starts_with(kGreenTable)) {
      ReadOnGreen(definition, &record);
    } else {
      record.complete.insert(definition);
      record.tables_complete.insert(TableOf(definition));
    }
  }
  return record;
}

// In two statements, since there may be tens of thousands.
void ReplaceRecord(pg::Connection& green, const std::string& deployment, const RecordRows& before,
                   const RecordRows& after, const std::string& kind) {
  std::vector<std::string> gone;
  std::vector<std::string> names;
  std::vector<std::string> definitions;
  for (const auto& [definition, name] : before) {
    const auto kept = after.find(definition);
    if (kept == after.end() || kept->second != name) gone.push_back(definition);
  }
  for (const auto& [definition, name] : after) {
    const auto kept = before.find(definition);
    if (kept != before.end() && kept->second == name) continue;
    names.push_back(name);
    definitions.push_back(definition);
  }
  if (gone.empty() && names.empty()) return;
  green.ExecTogether(
      {{.sql = "DELETE FROM pgteal.schema_baseline WHERE deployment = $1 AND kind = $2"
               " AND definition = ANY ($3::text[])",
        .params = {deployment, kind, pg::ArrayLiteral(gone)}},
       {.sql = "INSERT INTO pgteal.schema_baseline (deployment, kind, object, definition)"
               " SELECT $1, $2, t.object, t.definition"
               " FROM unnest($3::text[], $4::text[]) AS t(object, definition)",
        .params = {deployment, kind, pg::ArrayLiteral(names), pg::ArrayLiteral(definitions)}}});
}

void AddMark(const Membership& membership, RecordRows* rows) {
  const std::string divider = membership.containers.empty() ? "" : " ";
  rows->emplace(std::string(kEach) + divider + membership.containers, kMark);
}

void AddWays(const MemberTable& table, bool is_behind, RecordRows* rows) {
  for (const auto& way : table.ways) {
    rows->emplace((is_behind ? std::string(kBehind) : "") + way.text, NameOf(table.key));
  }
}

void AddOnGreen(const CompleteRecord& record, const TableKey& key, const Oid& blue,
                const Oid& green, RecordRows* rows) {
  rows->emplace(std::string(kGreenTable) + record.own_table + " " + blue + " " + green,
                NameOf(key));
}

std::string NameOf(const TableKey& key) { return key.first + "." + key.second; }

bool IsOnGreen(const std::string& definition) { return definition.starts_with(kGreenTable); }

// A way ends with it.
Oid TableOf(const std::string& definition) {
  const size_t end =
      definition.starts_with(kGreenTable) ? definition.rfind(' ') : std::string::npos;
  const size_t begin = definition.rfind(' ', end == std::string::npos ? end : end - 1) + 1;
  return definition.substr(begin, end - begin);
}

}  // namespace pgteal::pipeline
