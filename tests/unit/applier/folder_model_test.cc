#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "applier/folder.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using decoder::Change;
using decoder::ChangeKind;
using decoder::ColumnValue;
using decoder::OldTuple;
using tests::Cell;
using tests::Cells;
using tests::ChangeMaker;
using tests::MakeTarget;
using Target = std::shared_ptr<const TargetRelation>;
using Write = RowEffect::Write;

// Rows by column name; a column that only green has is called "extra".
using Value = std::optional<std::string>;
using StoredRow = std::map<std::string, Value>;
using Table = std::vector<StoredRow>;
using Tables = std::map<uint32_t, Table>;  // by green's oid

constexpr const char* kExtra = "extra";

// A server of tables in memory that, unlike a real one, refuses every change that does not meet
// exactly the row it expects.
class Store {
 public:
  Tables tables;

  void Insert(const TargetRelation& target, const ColumnValue* image) {
    StoredRow row;
    for (size_t i = 0; i < target.columns.size(); ++i) {
      if (image[i].is_unchanged()) throw std::logic_error("insert without a value");
      row[target.source->columns[i].name] = ValueOf(image[i]);
    }
    if (target.has_extra_columns) row[kExtra] = "default";
    if (!target.key.empty() && Find(target, image) != nullptr) {
      throw std::logic_error("insert of a row that is there: " + target.name);
    }
    tables[target.oid.value].push_back(std::move(row));
  }

  void Update(const TargetRelation& target, const ColumnValue* old_row, const ColumnValue* image,
              bool moves_key) {
    StoredRow* row = Find(target, old_row);
    if (row == nullptr) throw std::logic_error("update of a row that is not there: " + target.name);
    if (moves_key && !target.key.empty()) {
      std::vector<ColumnValue> moved(image, image + target.columns.size());
      for (const uint16_t i : target.key) {
        if (moved[i].is_unchanged()) moved[i] = old_row[i];
      }
      if (Find(target, moved.data()) != nullptr) throw std::logic_error("the key is taken");
    }
    for (size_t i = 0; i < target.columns.size(); ++i) {
      if (image[i].is_unchanged() || (!moves_key && target.IsKey(i))) continue;
      (*row)[target.source->columns[i].name] = ValueOf(image[i]);
    }
  }

  void Delete(const TargetRelation& target, const ColumnValue* old_row) {
    StoredRow* row = Find(target, old_row);
    if (row == nullptr) throw std::logic_error("delete of a row that is not there: " + target.name);
    auto& table = tables[target.oid.value];
    table.erase(table.begin() + (row - table.data()));
  }

  void Apply(const Change& change, const TargetRelation& target) {
    const ColumnValue* row = change.new_tuple.values;
    const ColumnValue* old_row = change.old_tuple.empty() ? row : change.old_tuple.values;
    if (change.kind == ChangeKind::kInsert) Insert(target, row);
    if (change.kind == ChangeKind::kUpdate) {
      Update(target, old_row, row, change.old_kind != OldTuple::kNone && Moves(target, change));
    }
    if (change.kind == ChangeKind::kDelete) Delete(target, old_row);
  }

  Tables Sorted() const {
    Tables sorted = tables;
    for (auto& [oid, table] : sorted) std::sort(table.begin(), table.end());
    return sorted;
  }

 private:
  static Value ValueOf(const ColumnValue& value) {
    return value.is_null() ? Value() : Value(std::string(value.bytes()));
  }
  static bool Moves(const TargetRelation& target, const Change& change) {
    if (target.key.empty()) return true;
    return std::any_of(target.key.begin(), target.key.end(), [&change](uint16_t column) {
      return !change.new_tuple[column].is_unchanged() &&
             ValueOf(change.old_tuple[column]) != ValueOf(change.new_tuple[column]);
    });
  }
  // The first row with this key; of a table without key, the first with all these values.
  StoredRow* Find(const TargetRelation& target, const ColumnValue* wanted) {
    for (auto& row : tables[target.oid.value]) {
      bool is_same = true;
      for (size_t i = 0; i < target.columns.size(); ++i) {
        if (!target.key.empty() && !target.IsKey(i)) continue;
        is_same &= row.at(target.source->columns[i].name) == ValueOf(wanted[i]);
      }
      if (is_same) return &row;
    }
    return nullptr;
  }
};

// Does what the applier does with a plan, and as freely: the rows of a segment in two parts chosen
// at random, its tables in their order.
class PlanRunner {
 public:
  PlanRunner(Store& store, std::mt19937& random) : store_(store), random_(random) {}

  void Run(Plan& plan) {
    for (auto& segment : plan.segments) {
      for (auto& row : segment.rows) row.is_late = random_() % 2 == 0;
      Rows(segment, false);
      Rows(segment, true);
      for (const auto& exact : segment.exact) store_.Apply(*exact.change, *exact.target);
      if (!segment.truncate) continue;
      for (const auto& target : segment.truncate->targets) store_.tables[target->oid.value].clear();
    }
  }

 private:
  void Rows(const Segment& segment, bool late) {
    for (const auto& work : segment.tables) {
      Each(segment, work, late, [&](const RowEffect& row) {
        if (row.deletes) store_.Delete(*work.target, row.key);
      });
      Each(segment, work, late, [&](const RowEffect& row) {
        if (row.write == Write::kUpdate) store_.Update(*work.target, row.key, row.image, false);
      });
      Each(segment, work, late, [&](const RowEffect& row) {
        if (row.write == Write::kInsert) store_.Insert(*work.target, row.image);
      });
    }
  }
  template <typename Do>
  static void Each(const Segment& segment, const TableWork& work, bool late, Do act) {
    for (const uint32_t index : work.rows) {
      if (segment.rows[index].is_late == late) act(segment.rows[index]);
    }
  }

  Store& store_;
  std::mt19937& random_;
};

std::vector<std::vector<Target>> MakeTables() {
  std::vector<std::vector<Target>> tables;
  const auto add = [&tables](auto... versions) { tables.push_back({versions...}); };
  // The second version of a table has its columns in another order.
  add(MakeTarget(1, "plain", {{"id", true}, {"a"}, {"b"}}),
      MakeTarget(1, "plain", {{"b"}, {"id", true}, {"a"}}));
  add(MakeTarget(2, "two_keys", {{"x", true}, {"a"}, {"y", true}, {"b"}}));
  auto extra = MakeTarget(3, "wider_on_green", {{"id", true}, {"a"}, {"b"}});
  extra->has_extra_columns = true;
  add(extra);
  auto exact = MakeTarget(4, "exact", {{"id", true}, {"a"}, {"b"}});
  exact->mode = ApplyMode::kExact;
  // The mode may change with the version: blue's table gets a key, say.
  add(exact, MakeTarget(4, "exact", {{"id", true}, {"b"}, {"a"}}));
  add(MakeTarget(5, "keyless", {{"a"}, {"b"}}));
  auto late = MakeTarget(6, "late", {{"id", true}, {"a"}});
  late->mode = ApplyMode::kLate;
  add(late);
  add(MakeTarget(7, "full", {{"id", true}, {"a"}, {"b"}}));
  return tables;
}

constexpr uint32_t kKeyless = 5;
constexpr uint32_t kFullIdentity = 7;

// Writes on blue's tables and hands out what blue would send.
class Blue {
 public:
  Blue(unsigned seed, const std::vector<std::vector<Target>>& tables)
      : random_(seed), tables_(tables), version_(tables.size(), 0) {
    seed_bits_ = static_cast<int>(1 + random_() % 4);
  }

  Store& store() { return store_; }

  // Rows that both sides hold before the first change.
  void Fill() {
    for (const auto& versions : tables_) {
      for (int i = 0; i < 4; ++i) {
        const Cells row = NewRow(*versions.front());
        if (!Holds(*versions.front(), row)) {
          store_.Insert(*versions.front(), maker_.Row(row).values);
        }
      }
      for (auto& row : store_.tables[versions.front()->oid.value]) {
        if (row.count(kExtra) != 0) row[kExtra] = "set by hand";
      }
    }
  }

  void Step(Folder* folder) {
    const size_t at = random_() % tables_.size();
    if (Chance(25) && version_[at] + 1 < tables_[at].size()) ++version_[at];
    const Target& target = tables_[at][version_[at]];
    if (Chance(60)) return Truncate(folder);
    const Change* change = Make(*target);
    if (change == nullptr) return;
    store_.Apply(*change, *target);
    folder->Add(*change, target);
  }

 private:
  bool Chance(uint32_t one_in) { return random_() % one_in == 0; }
  std::string Some() { return std::to_string(random_() % (1U << seed_bits_)); }

  Cells NewRow(const TargetRelation& target) {
    Cells row;
    for (size_t i = 0; i < target.columns.size(); ++i) {
      row.push_back(!target.IsKey(i) && Chance(6) ? Cell(tests::kNull) : Cell(Some()));
    }
    return row;
  }
  bool Holds(const TargetRelation& target, const Cells& row) {
    if (target.key.empty()) return false;
    Store copy = store_;
    try {
      copy.Delete(target, maker_.Row(row).values);
      return true;
    } catch (const std::logic_error&) {
      return false;
    }
  }
  Cells CellsOf(const TargetRelation& target, const StoredRow& row) {
    Cells cells;
    for (const auto& column : target.source->columns) {
      const Value& value = row.at(column.name);
      cells.push_back(value ? Cell(*value) : Cell(tests::kNull));
    }
    return cells;
  }
  // What blue sends as the old row: all of it, or the key alone.
  Cells OldRow(const TargetRelation& target, Cells row) const {
    if (SendsFull(target)) return row;
    for (size_t i = 0; i < row.size(); ++i) {
      if (!target.IsKey(i)) row[i] = tests::kNull;
    }
    return row;
  }
  static bool SendsFull(const TargetRelation& target) {
    return target.oid.value == kFullIdentity || target.oid.value == kKeyless;
  }

  const Change* Make(const TargetRelation& target) {
    const auto& rows = store_.tables[target.oid.value];
    if (rows.empty() || Chance(3)) {
      const Cells row = NewRow(target);
      return Holds(target, row) ? nullptr : &maker_.Insert(target, row);
    }
    const Cells old = CellsOf(target, rows[random_() % rows.size()]);
    const auto kind = SendsFull(target) ? OldTuple::kFull : OldTuple::kKey;
    if (Chance(3)) return &maker_.Delete(target, kind, OldRow(target, old));
    return MakeUpdate(target, old, kind);
  }

  const Change* MakeUpdate(const TargetRelation& target, const Cells& old, OldTuple kind) {
    Cells row = NewRow(target);
    const bool moves_key = Chance(3);
    for (size_t i = 0; i < row.size(); ++i) {
      if (target.IsKey(i)) {
        if (!moves_key) row[i] = old[i];
      } else if (Chance(3)) {
        row[i] = tests::kUnchanged;
      }
    }
    // An out-of-line key that did not move is sent as the old row, and left out of the new one.
    const bool has_toasted_key = !moves_key && !target.key.empty() && Chance(8);
    if (has_toasted_key) row[target.key.front()] = tests::kUnchanged;
    const bool sends_old = moves_key || has_toasted_key || SendsFull(target);
    if (!sends_old) return &maker_.Update(target, row);
    const auto& change = maker_.Update(target, kind, OldRow(target, old), row);
    Store copy = store_;
    try {
      copy.Apply(change, target);
    } catch (const std::logic_error&) {
      return nullptr;  // the key is taken
    }
    return &change;
  }

  void Truncate(Folder* folder) {
    TruncateWork work;
    for (size_t at = 0; at < tables_.size(); ++at) {
      if (!Chance(3)) continue;
      work.targets.push_back(tables_[at][version_[at]]);
      store_.tables[work.targets.back()->oid.value].clear();
    }
    if (!work.targets.empty()) folder->AddTruncate(std::move(work));
  }

  std::mt19937 random_;
  const std::vector<std::vector<Target>>& tables_;
  std::vector<size_t> version_;
  int seed_bits_ = 1;
  Store store_;
  ChangeMaker maker_;
};

TEST(FolderModel, ThePlanEndsWhereTheChangesOneByOneEndAndEveryStepIsLegal) {
  const auto tables = MakeTables();
  size_t changes = 0;
  size_t rows = 0;
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Blue blue(seed, tables);
    blue.Fill();
    Store green = blue.store();
    Plan plan;
    Folder folder(&plan);
    const int steps = static_cast<int>(1 + random() % 200);
    for (int i = 0; i < steps; ++i) blue.Step(&folder);
    ASSERT_NO_THROW(PlanRunner(green, random).Run(plan));
    ASSERT_EQ(green.Sorted(), blue.store().Sorted());
    changes += static_cast<size_t>(steps);
    for (const auto& segment : plan.segments) rows += segment.rows.size() + segment.exact.size();
  }
  EXPECT_LT(rows, changes) << "nothing was folded";
}

}  // namespace
}  // namespace pgteal::applier
