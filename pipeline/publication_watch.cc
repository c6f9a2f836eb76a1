#include "pipeline/publication_watch.h"

#include <map>

#include "pipeline/schema_diff.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kKind = kCompleteTable;
// The object of the row that says that there is a record, even of nothing.
constexpr const char* kMark = "";
// That row's definition, before the containers that are known, which may be none.
constexpr std::string_view kEach = "each";
// An older pgteal kept neither partitions nor tables that came with a container.
constexpr std::string_view kOids = "oids";
// One still older kept names.
constexpr const char* kNoOids = "";
constexpr std::string_view kBehind = "behind ";

// What is said of one way of a table, which is unique; then the table's name, for who reads it.
using Rows = std::map<std::string, std::string>;

struct Record {
  bool exists = false;
  bool has_each = false;
  bool has_oids = false;
  std::string containers;
  Rows rows;
  std::set<std::string> names;     // complete, without oids
  std::set<std::string> complete;  // ways
  std::set<std::string> behind;    // ways
  std::set<Oid> tables_behind;
};

// A way ends with its table.
Oid TableOf(const std::string& way) { return way.substr(way.rfind(' ') + 1); }

std::string NameOf(const TableKey& key) { return key.first + "." + key.second; }

void ReadMark(const std::string& definition, Record* record) {
  record->exists = true;
  record->has_each = definition.starts_with(kEach);
  record->has_oids = record->has_each || definition.starts_with(kOids);
  if (record->has_oids) record->containers = definition.substr(kEach.size());
}

Record ReadRecord(pg::Connection& green, const std::string& deployment) {
  static_assert(kEach.size() == kOids.size());
  const auto rows = green.Exec(
      "SELECT object, definition FROM pgteal.schema_baseline WHERE deployment = $1 AND kind = $2",
      {deployment, kKind});
  Record record;
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
    } else {
      record.complete.insert(definition);
    }
  }
  return record;
}

std::string Mark(const Membership& membership) {
  return std::string(kEach) + (membership.containers.empty() ? "" : " ") + membership.containers;
}

void Add(const MemberTable& table, bool is_behind, Rows* rows) {
  for (const auto& way : table.ways) {
    rows->emplace((is_behind ? std::string(kBehind) : "") + way.text, NameOf(table.key));
  }
}

std::string ArrayLiteral(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) {
    text += text.empty() ? "{\"" : ",\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text.empty() ? "{}" : text + "}";
}

// In two statements, since there may be tens of thousands.
void Replace(pg::Connection& green, const std::string& deployment, const Rows& before,
             const Rows& after) {
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
        .params = {deployment, kKind, ArrayLiteral(gone)}},
       {.sql = "INSERT INTO pgteal.schema_baseline (deployment, kind, object, definition)"
               " SELECT $1, $2, t.object, t.definition"
               " FROM unnest($3::text[], $4::text[]) AS t(object, definition)",
        .params = {deployment, kKind, ArrayLiteral(names), ArrayLiteral(definitions)}}});
}

struct Findings {
  std::vector<std::string> behind;
  Rows before;
  Rows after;
};

// Tells which tables are complete, from what is recorded and what the catalogs tell of the others.
class Judge {
 public:
  Judge(pg::Connection& blue, const Record& record, const Membership& now)
      : record_(record), now_(now) {
    if (!record.exists) return;
    std::set<Oid> unknown;
    for (const auto& [oid, table] : now.tables) {
      if (table.ways.empty() || IsRecorded(table)) continue;
      for (const auto& one : Lineage(now, oid)) unknown.insert(one);
    }
    origins_ = ReadOrigins(blue, unknown);
  }

  Findings Find() {
    Findings found{.behind = {}, .before = record_.rows, .after = {{Mark(now_), kMark}}};
    std::set<Oid> behind;
    for (const auto& [oid, table] : now_.tables) {
      if (!table.is_partitioned && IsBehind(oid, table)) behind.insert(oid);
    }
    for (const auto& oid : behind) CountParents(oid);
    for (const auto& [oid, table] : now_.tables) {
      Add(table, behind.contains(oid) || parents_.contains(oid), &found.after);
    }
    std::set<std::string> names;
    for (const auto& oid : behind) names.insert(ReloadName(now_.tables.at(NamedFor(oid)).key));
    found.behind.assign(names.begin(), names.end());
    return found;
  }

 private:
  bool IsRecorded(const MemberTable& table) const {
    if (!record_.exists || record_.names.contains(NameOf(table.key))) return true;
    for (const auto& way : table.ways) {
      if (record_.complete.contains(way.text)) return true;
    }
    return false;
  }

  // One that is behind stays so whatever it comes with later.
  bool IsBehind(const Oid& oid, const MemberTable& table) {
    if (table.ways.empty() || IsRecorded(table) || Is(oid, &Origin::is_empty, true)) return false;
    if (record_.tables_behind.contains(oid)) return true;
    for (const auto& way : table.ways) {
      if (IsMadeInside(oid, way) || IsTakenOver(oid, way)) return false;
    }
    return true;
  }

  bool IsMadeInside(const Oid& oid, const MembershipWay& way) const {
    if (!Is(oid, &Origin::has_first_storage) || !IsKnown(oid, way)) return false;
    for (const auto& one : Lineage(now_, oid)) {
      if (one == way.top) return true;
      if (!Is(one, &Origin::was_made_as_partition)) return false;
    }
    return false;
  }

  // Whether what is made on this way now is published from the first row on.
  bool IsKnown(const Oid& oid, const MembershipWay& way) const {
    if (IsKnownContainer(way.container) &&
        (way.container.starts_with('a') || Is(way.top, &Origin::has_first_schema))) {
      return true;
    }
    return way.top != oid &&
           (record_.complete.contains(way.top_text) || record_.behind.contains(way.top_text));
  }

  bool IsKnownContainer(const std::string& container) const {
    const auto& known = record_.has_oids ? record_.containers : now_.containers;
    return !container.empty() &&
           (" " + known + " ").find(" " + container + " ") != std::string::npos;
  }

  // What an older record does not tell of is as complete as what it came with.
  bool IsTakenOver(const Oid& oid, const MembershipWay& way) const {
    if (record_.has_each) return false;
    return IsKnownContainer(way.container) ||
           (way.top != oid && record_.complete.contains(way.top_text));
  }

  // That came with their partitions, and are what there is to reload.
  void CountParents(const Oid& oid) {
    for (const auto& way : now_.tables.at(oid).ways) {
      if (way.top == oid || IsRecorded(now_.tables.at(way.top))) continue;
      if (!IsKnownContainer(way.container) || !Is(way.top, &Origin::has_first_schema)) {
        parents_.insert(way.top);
      }
    }
  }

  // The copy knows either partitions or their root.
  Oid NamedFor(const Oid& oid) const {
    Oid named = oid;
    for (const auto& one : Lineage(now_, oid)) {
      const bool is_sent = now_.is_via_root && !now_.tables.at(one).ways.empty();
      if (is_sent || parents_.contains(one)) named = one;
    }
    return named;
  }

  bool Is(const Oid& oid, bool Origin::*what, bool if_gone = false) const {
    const auto found = origins_.find(oid);
    return found == origins_.end() ? if_gone : found->second.*what;
  }

  const Record& record_;
  const Membership& now_;
  std::map<Oid, Origin> origins_;  // of what is not recorded
  std::set<Oid> parents_;
};

Findings Compare(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto record = ReadRecord(green, deployment);
  const auto now = ReadMembership(blue, deployment);
  return Judge(blue, record, now).Find();
}

// Of tables that are copied, and of their partitions, whatever was said before.
void RecordCopied(pg::Connection& green, const std::string& deployment,
                  const Membership& membership, const std::set<TableKey>& tables, bool is_behind) {
  const auto before = ReadRecord(green, deployment).rows;
  std::set<Oid> copied;
  for (const auto& [oid, table] : membership.tables) {
    for (const auto& one : Lineage(membership, oid)) {
      if (tables.contains(membership.tables.at(one).key)) copied.insert(oid);
    }
  }
  Rows after;
  for (const auto& [definition, name] : before) {
    if (!copied.contains(TableOf(definition))) after.emplace(definition, name);
  }
  for (const auto& oid : copied) Add(membership.tables.at(oid), is_behind, &after);
  Replace(green, deployment, before, after);
}

}  // namespace

void RecordAllComplete(pg::Connection& green, const std::string& deployment,
                       const Membership& membership) {
  Rows after{{Mark(membership), kMark}};
  for (const auto& [oid, table] : membership.tables) Add(table, false, &after);
  Replace(green, deployment, ReadRecord(green, deployment).rows, after);
}

void RecordComplete(pg::Connection& green, const std::string& deployment,
                    const Membership& membership, const std::set<TableKey>& tables) {
  RecordCopied(green, deployment, membership, tables, false);
}

void RecordBehind(pg::Connection& green, const std::string& deployment,
                  const Membership& membership, const std::set<TableKey>& tables) {
  RecordCopied(green, deployment, membership, tables, true);
}

bool RecordPublished(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto found = Compare(blue, green, deployment);
  Replace(green, deployment, found.before, found.after);
  return found.behind.empty();
}

std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment) {
  return Compare(blue, green, deployment).behind;
}

}  // namespace pgteal::pipeline
