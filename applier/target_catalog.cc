#include "applier/target_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "applier/renamed_table.h"
#include "applier/target_queries.h"
#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::applier {
namespace {

using decoder::ReplicaIdentity;

struct UniqueIndex {
  bool is_primary = false;
  bool is_plain = false;  // neither partial nor on expressions
  bool is_immediate = false;
  std::vector<uint16_t> columns;
  bool is_mapped = true;  // all its columns come from blue
  bool nulls_are_equal = false;
  bool has_generated = false;
};

// Names inside a JSON array of strings, as array_to_json prints names.
std::vector<std::string> ParseNames(std::string_view json) {
  std::vector<std::string> names;
  std::string name;
  bool is_inside = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      if (is_inside) names.push_back(std::move(name));
      name.clear();
      is_inside = !is_inside;
    } else if (is_inside) {
      if (c == '\\' && i + 1 < json.size()) ++i;
      name += json[i];
    }
  }
  return names;
}

int FindColumn(const decoder::Relation& source, std::string_view name) {
  for (size_t i = 0; i < source.columns.size(); ++i) {
    if (source.columns[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

// Built-in types whose equal values have one text form only are not in this list. Values that hold
// other values (arrays, composites, ranges) are as their parts.
bool HasManySpellings(uint32_t base_type, char category) {
  if (category == 'A' || category == 'C' || category == 'R') return true;
  constexpr std::array kTypes = {700U, 701U, 1700U, 1042U, 1186U, 1266U, 3802U, 790U, 869U, 650U};
  return base_type >= pg::Oid::kFirstNormal ||
         std::find(kTypes.begin(), kTypes.end(), base_type) != kTypes.end();
}

// A built-in type whose binary image green's wider column takes through an assignment cast.
struct Widening {
  uint32_t from;
  uint32_t from_array;
  uint32_t to;
};
// Not char(n) to text: that cast would drop trailing blanks that blue shows.
constexpr std::array kWidenings = {
    Widening{21, 1005, 23},   Widening{21, 1005, 20},     Widening{23, 1007, 20},
    Widening{21, 1005, 1700}, Widening{23, 1007, 1700},   Widening{20, 1016, 1700},
    Widening{700, 1021, 701}, Widening{1043, 1015, 25},   Widening{19, 1003, 25},
    Widening{25, 1009, 1043}, Widening{1082, 1182, 1114},
};

// regclass and its like: in binary form a number that means another object on green.
bool IsObjectName(uint32_t type) {
  constexpr std::array kTypes = {24U,   2202U, 2203U, 2204U, 2205U, 2206U,
                                 3734U, 3769U, 4089U, 4096U, 4191U};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

void FillBinary(const decoder::Column& from, char typtype, TargetColumn* column) {
  column->binary_type = column->type;
  column->binary_array_type = column->array_type;
  if (typtype == 'b' && from.type == column->type && column->type.is_builtin() &&
      !IsObjectName(column->type.value)) {
    column->takes_binary = true;
    return;
  }
  if (typtype == 'e' && !from.type_name.empty()) {
    column->takes_binary = true;  // an enum's binary form is its label
    return;
  }
  for (const auto& widening : kWidenings) {
    if (from.type.value != widening.from || column->type.value != widening.to) continue;
    column->takes_binary = true;
    column->binary_type = {widening.from};
    column->binary_array_type = {widening.from_array};
  }
}

TargetColumn ReadColumn(const pg::Result& rows, int row, const decoder::Column& from) {
  TargetColumn column;
  column.name = pg::QuoteIdentifier(rows.Text(row, 0));
  column.type = {static_cast<uint32_t>(rows.Int(row, 1))};
  column.type_sql = pg::QuoteQualified(rows.Text(row, 2), rows.Text(row, 3));
  column.array_type = {static_cast<uint32_t>(rows.Int(row, 4))};
  column.is_generated = rows.Bool(row, 5);
  column.is_identity_always = rows.Bool(row, 6);
  column.is_array = rows.Bool(row, 7);
  column.has_many_spellings =
      HasManySpellings(static_cast<uint32_t>(rows.Int(row, 8)), rows.Text(row, 13).front());
  column.has_parts = rows.Text(row, 13) == "A" || rows.Text(row, 13) == "C";
  column.equality = rows.String(row, 9);
  if (rows.Text(row, 10) == "d") {
    column.base_cast = "::" + pg::QuoteQualified(rows.Text(row, 11), rows.Text(row, 12));
  }
  FillBinary(from, rows.Text(row, 10).front(), &column);
  return column;
}

void MapColumns(const pg::Result& rows, TargetRelation* target) {
  const auto& source = *target->source;
  target->columns.resize(source.columns.size());
  std::vector<bool> is_mapped(source.columns.size(), false);
  for (int row = 0; row < rows.rows(); ++row) {
    const int at = FindColumn(source, rows.Text(row, 0));
    if (at < 0) {
      target->has_extra_columns |= !rows.Bool(row, 5);
      continue;
    }
    const auto column = static_cast<size_t>(at);
    target->columns[column] = ReadColumn(rows, row, source.columns[column]);
    is_mapped[column] = true;
  }
  for (size_t i = 0; i < source.columns.size(); ++i) {
    if (!is_mapped[i]) {
      throw pg::Refused(
          target->sides.Format("column {} of {} is missing on green", source.columns[i].name,
                               target->DisplayName()),
          target->sides.Format("Add the column on green with the type it has on blue, then start "
                               "again: nothing is lost."));
    }
    if (!target->columns[i].is_generated) target->written.push_back(static_cast<uint16_t>(i));
  }
}

std::vector<UniqueIndex> ReadUnique(const pg::Result& rows, const decoder::Relation& source) {
  std::vector<UniqueIndex> indexes;
  for (int row = 0; row < rows.rows(); ++row) {
    UniqueIndex index{.is_primary = rows.Bool(row, 0),
                      .is_plain = rows.Bool(row, 1),
                      .is_immediate = rows.Bool(row, 2),
                      .columns = {},
                      .nulls_are_equal = rows.Bool(row, 4),
                      .has_generated = rows.Bool(row, 5)};
    for (const auto& name : ParseNames(rows.Text(row, 3))) {
      const int at = FindColumn(source, name);
      if (at < 0)
        index.is_mapped = false;
      else
        index.columns.push_back(static_cast<uint16_t>(at));
    }
    std::sort(index.columns.begin(), index.columns.end());
    indexes.push_back(std::move(index));
  }
  return indexes;
}

// Blue's identity columns; under FULL green's primary key, as PostgreSQL's own subscription does.
void ChooseKey(const std::vector<UniqueIndex>& indexes, TargetRelation* target) {
  if (target->source->identity != ReplicaIdentity::kFull) {
    target->key = target->source->key_columns;
    return;
  }
  const auto primary = std::find_if(indexes.begin(), indexes.end(), [](const UniqueIndex& index) {
    return index.is_primary && index.is_mapped && index.is_immediate;
  });
  if (primary != indexes.end()) target->key = primary->columns;
}

// Whether blue's key may hold a column more, one that it computes and does not send: what is left
// of it finds several rows then.
bool KeyMayBeCut(const std::vector<UniqueIndex>& indexes, std::vector<uint16_t> key) {
  if (key.empty()) return false;
  std::sort(key.begin(), key.end());
  const auto includes = [](const auto& all, const auto& some) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end());
  };
  const auto is_longer = [&](const UniqueIndex& index) {
    return index.is_plain && !index.is_mapped && index.has_generated &&
           includes(index.columns, key);
  };
  const auto is_enough = [&](const UniqueIndex& index) {
    return index.is_plain && index.is_mapped && index.is_immediate && includes(key, index.columns);
  };
  return std::any_of(indexes.begin(), indexes.end(), is_longer) &&
         std::none_of(indexes.begin(), indexes.end(), is_enough);
}

// True if an index other than the key's own could reject a row.
bool KeepOtherUnique(const std::vector<UniqueIndex>& indexes, TargetRelation* target) {
  auto key = target->key;
  std::sort(key.begin(), key.end());
  bool has_other = false;
  bool key_is_seen = false;
  for (const auto& index : indexes) {
    if (index.is_plain && index.columns == key && !key.empty() && !key_is_seen) {
      key_is_seen = true;
      continue;
    }
    has_other = true;
    if (!index.is_plain || !index.is_mapped) continue;
    target->unique_keys.push_back(
        {.columns = index.columns, .nulls_are_equal = index.nulls_are_equal});
  }
  return has_other;
}

void ChooseMode(const pg::Result& table, const std::vector<UniqueIndex>& indexes, bool replica_role,
                TargetRelation* target) {
  const auto set = [target](ApplyMode mode, const char* reason) {
    if (target->mode >= mode) return;
    target->mode = mode;
    target->mode_reason = Renamed(reason, target->sides);
  };
  for (size_t i = 0; i < target->columns.size(); ++i) {
    const auto& column = target->columns[i];
    if (column.is_identity_always && !target->IsKey(i)) target->has_identity_always = true;
    if (target->IsKey(i) && column.is_generated) {
      set(ApplyMode::kExact, "a key column is generated on green");
    }
  }
  if (KeyMayBeCut(indexes, target->key)) {
    set(ApplyMode::kExact,
        "the key's index on green has a generated column that blue does not send");
  }
  if (KeepOtherUnique(indexes, target)) set(ApplyMode::kLate, "a second unique index");
  if (table.Bool(0, 6)) set(ApplyMode::kLate, "an exclusion constraint");
  if (table.Bool(0, 3)) set(ApplyMode::kExact, "triggers that fire for replicated changes");
  if (table.Bool(0, 4)) set(ApplyMode::kExact, "rules that apply to replicated changes");
  if (!replica_role) set(ApplyMode::kExact, "no right to set session_replication_role");
  const bool is_full = target->source->identity == ReplicaIdentity::kFull;
  if (is_full && target->key.empty()) {
    set(ApplyMode::kExact, "replica identity FULL without a primary key on green");
  }
}

}  // namespace

TargetCatalog::TargetCatalog(std::unique_ptr<pg::Connection> session, std::string deployment,
                             bool replica_role, SideNames sides, AskBlue ask_blue)
    : connection_(std::move(session)),
      deployment_(std::move(deployment)),
      replica_role_(replica_role),
      sides_(std::move(sides)),
      ask_blue_(std::move(ask_blue)) {}

std::shared_ptr<const TargetRelation> TargetCatalog::Find(
    const std::shared_ptr<const decoder::Relation>& source) {
  const std::lock_guard lock(mutex_);
  auto& known = known_[source.get()];
  if (!known) known = Read(source);
  return known;
}

void TargetCatalog::LearnHolders() {
  const std::lock_guard lock(mutex_);
  if (ask_blue_) holders_ = ReadHolders(*connection_, deployment_);
}

void TargetCatalog::Forget() {
  const std::lock_guard lock(mutex_);
  known_.clear();
}

void TargetCatalog::ThrowMissing(const TargetRelation& target) {
  const auto& source = *target.source;
  const std::string rename =
      RenameOnGreen(*connection_, deployment_, source.oid, source.schema, source.name);
  throw pg::Refused(
      sides_.Format("table {} is missing on green", target.DisplayName()),
      rename.empty()
          ? sides_.Format(
                "Create the table on green (or rename it there, if blue renamed it: a new "
                "one has none of its rows), or leave it out of the publication, then "
                "start again: nothing is lost.")
          : sides_.Format("Blue renamed it. On green: {} Then start again: nothing is lost. A new "
                          "table in its place would have none of its rows.",
                          rename));
}

// Names may have been given to other tables, oids may not. Asked once more for a table that has
// come since the start.
void TargetCatalog::RequireOwn(const TargetRelation& target) {
  if (!ask_blue_) return;
  const auto& source = *target.source;
  const auto holder_of_it = [&] {
    const auto found = holders_.find(target.oid);
    return found == holders_.end() ? std::nullopt : std::optional(found->second);
  };
  if (holder_of_it() == source.oid) return;
  holders_ = ReadHolders(*connection_, deployment_);
  const auto holder = holder_of_it();
  if (!holder || *holder == source.oid) return;
  // What blue has dropped since gets no rows any more, and what has this very name is what came in
  // this one's place: then this one's last rows are what is on its way.
  const auto name = ask_blue_(*holder);
  if (!name || *name == applier::TableName{source.schema, source.name}) return;
  throw HeldByAnother(*connection_, deployment_, sides_, {source.schema, source.name}, *holder,
                      *name);
}

std::shared_ptr<const TargetRelation> TargetCatalog::Read(
    const std::shared_ptr<const decoder::Relation>& source) {
  auto target = std::make_shared<TargetRelation>();
  target->source = source;
  target->sides = sides_;
  target->schema = source->schema;
  target->name = source->name;
  target->qualified = pg::QuoteQualified(source->schema, source->name);
  const pg::TextParams name = {source->schema, source->name};
  // A far green is a round trip away, and there are many tables. Every fact is found by name, as
  // rows are written by name: a table that takes the name later, or at this very moment, is not
  // noticed.
  const auto facts = connection_->ExecTogether(
      {{kTableSql, {source->schema, source->name, replica_role_ ? "t" : "f"}},
       {kColumnsSql, name},
       {kUniqueSql, name},
       {kReadyLsnSql, {source->schema, source->name, deployment_}}});
  const auto& table = facts[0];
  if (table.is_empty()) ThrowMissing(*target);
  if (table.Bool(0, 2)) {
    throw pg::Refused(
        sides_.Format("row security applies to our role on green, table {}", target->DisplayName()),
        "Give the role BYPASSRLS, or make it the owner of a table without FORCE ROW LEVEL "
        "SECURITY.");
  }
  if (!table.Bool(0, 5)) {
    throw pg::Refused(
        sides_.Format("our role may not write table {} on green", target->DisplayName()),
        fmt::format("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {} TO <role>;",
                    target->qualified));
  }
  target->oid = {static_cast<uint32_t>(table.Int(0, 0))};
  RequireOwn(*target);
  target->is_partitioned = table.Text(0, 1) == "p";
  target->may_restart_sequences = table.Bool(0, 7);
  target->cascades_to = table.String(0, 8);
  if (!facts[3].IsNull(0, 0)) target->ready_lsn = facts[3].LsnAt(0, 0);
  MapColumns(facts[1], target.get());
  const auto indexes = ReadUnique(facts[2], *source);
  ChooseKey(indexes, target.get());
  ChooseMode(table, indexes, replica_role_, target.get());
  return target;
}

}  // namespace pgteal::applier
