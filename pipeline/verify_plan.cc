#include "pipeline/verify_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "pg/quote.h"
#include "pipeline/copy_plan.h"
#include "pipeline/verify_catalog.h"

namespace pgteal::pipeline {
namespace {

// Object ids of built-in types (pg_type.dat).
constexpr uint32_t kInt8 = 20;
constexpr uint32_t kInt2 = 21;
constexpr uint32_t kInt4 = 23;
constexpr uint32_t kText = 25;
constexpr uint32_t kBpchar = 1042;
constexpr uint32_t kVarchar = 1043;
constexpr uint32_t kUuid = 2950;

bool IsInteger(uint32_t type) { return type == kInt2 || type == kInt4 || type == kInt8; }
bool IsText(uint32_t type) { return type == kText || type == kVarchar; }

// Built-in types whose output is never empty and holds no control character outside quotes of its
// own syntax: numbers, dates, bits, bytes, networks, geometry, json.
bool IsPlainType(uint32_t type) {
  constexpr std::array kTypes = {16U,   17U,   20U,   21U,   23U,   26U,   28U,   114U,  600U,
                                 601U,  602U,  603U,  604U,  628U,  650U,  700U,  701U,  718U,
                                 774U,  790U,  829U,  869U,  1082U, 1083U, 1114U, 1184U, 1186U,
                                 1266U, 1560U, 1562U, 1700U, 2950U, 3220U, 3802U, 5069U};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

bool IsPlain(const CatalogColumn& column) {
  // Arrays and ranges quote what needs it.
  if (column.kind == 'r' || column.kind == 'm') return true;
  return column.kind == 'b' && (column.category == 'A' || IsPlainType(column.base_type));
}

ColumnText TextFor(const CatalogColumn& blue, const CatalogColumn& green) {
  const bool is_char = blue.base_type == kBpchar && green.base_type == kBpchar;
  if (is_char && blue.type != green.type) return ColumnText::kTrimmed;
  const auto is_measured = [](const CatalogColumn& column) {
    return IsText(column.base_type) || column.base_type == kBpchar;
  };
  if (is_measured(blue) && is_measured(green)) return ColumnText::kMeasured;
  if (IsPlain(blue) && IsPlain(green)) return ColumnText::kPlain;
  return ColumnText::kRecord;
}

KeyHash HashFor(const CatalogColumn& blue, const CatalogColumn& green) {
  const auto both = [&](auto is) { return is(blue.base_type) && is(green.base_type); };
  if (both(IsInteger)) return KeyHash::kInteger;
  if (both(IsText)) return KeyHash::kText;
  if (both([](uint32_t type) { return type == kUuid; })) return KeyHash::kUuid;
  return KeyHash::kRecord;
}

const CatalogColumn* Find(const std::vector<CatalogColumn>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&name](const auto& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

// Fills one table of the plan from both catalogs.
class TableMatch {
 public:
  TableMatch(const PlannedTable& published, const CatalogTable& blue, const CatalogTable& green,
             const SideNames& names, VerifyTable* table)
      : published_(published), blue_(blue), green_(green), names_(names), table_(table) {}

  void Fill() {
    for (const auto& column : blue_.columns) Match(column);
    for (const auto& column : green_.columns) {
      if (Find(blue_.columns, column.name) != nullptr) continue;
      Note("column {} is on {} only: left out", column.name, names_.green);
    }
    for (const auto& name : blue_.key) {
      const auto place = std::find_if(table_->columns.begin(), table_->columns.end(),
                                      [&name](const auto& column) { return column.name == name; });
      if (place == table_->columns.end()) {
        table_->key.clear();  // a part of it is not published
        return;
      }
      table_->key.push_back(static_cast<size_t>(place - table_->columns.begin()));
    }
  }

 private:
  template <typename... Args>
  void Note(fmt::format_string<Args...> text, Args&&... args) {
    table_->notes.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  bool IsPublished(const CatalogColumn& column) const {
    return std::any_of(published_.columns.begin(), published_.columns.end(),
                       [&column](const auto& known) { return known.name == column.name; });
  }

  void Match(const CatalogColumn& blue) {
    const auto* green = Find(green_.columns, blue.name);
    // Generated alike on both sides: no stream carries it, but it has to come out the same.
    const bool is_generated_alike = green != nullptr && blue.is_generated && green->is_generated &&
                                    blue.expression == green->expression;
    if (!IsPublished(blue) && !is_generated_alike) {
      Note("column {} is {}: left out", blue.name,
           blue.is_generated ? "generated differently on " + names_.green : "not published");
      return;
    }
    if (green == nullptr) {
      table_->fault = fmt::format("column {} is missing on {}", blue.name, names_.green);
      return;
    }
    if (green->is_generated && !is_generated_alike) {
      Note("column {} is generated on {} only: left out", blue.name, names_.green);
      return;
    }
    NoteDefinition(blue, *green);
    table_->columns.push_back({.name = blue.name,
                               .text = TextFor(blue, *green),
                               .hash = HashFor(blue, *green),
                               .is_generated = is_generated_alike});
  }

  void NoteDefinition(const CatalogColumn& blue, const CatalogColumn& green) {
    if (blue.type != green.type) {
      Note("column {} is {} on {} and {} on {}", blue.name, blue.type, names_.blue, green.type,
           names_.green);
    }
    if (blue.expression != green.expression) {
      Note("column {} has another default on {}", blue.name, names_.green);
    }
    if (blue.is_not_null != green.is_not_null) {
      Note("column {} is NOT NULL on {} only", blue.name,
           blue.is_not_null ? names_.blue : names_.green);
    }
  }

  const PlannedTable& published_;
  const CatalogTable& blue_;
  const CatalogTable& green_;
  const SideNames& names_;
  VerifyTable* table_;
};

void NameWholes(const std::string& qualified, std::vector<VerifyUnit>* units) {
  for (auto& unit : *units) {
    if (!unit.is_plain) unit.qualified = qualified;
  }
}

}  // namespace

uint64_t VerifyTable::bytes() const {
  uint64_t sum = 0;
  for (const auto& units_of_side : units) {
    for (const auto& unit : units_of_side) sum += unit.bytes;
  }
  return sum;
}

std::vector<VerifyTable> PlanVerify(pg::Connection& blue, pg::Connection& green,
                                    const std::string& publication, const TableFilter& filter,
                                    const SideNames& names) {
  const auto on_blue = ReadCatalog(blue);
  const auto on_green = ReadCatalog(green);
  std::vector<VerifyTable> plan;
  for (const auto& published : ReadPlan(blue, publication)) {
    if (!filter.Matches(published.schema, published.name)) continue;
    const TableKey key{published.schema, published.name};
    const auto from = on_blue.find(key);
    const auto to = on_green.find(key);
    // Dropped since the snapshot: there is nothing to compare it with.
    if (from == on_blue.end()) continue;
    VerifyTable table;
    table.schema = published.schema;
    table.name = published.name;
    table.row_filter = published.row_filter;
    if (to == on_green.end()) {
      table.fault = "the table is missing on " + names.green;
    } else {
      TableMatch(published, from->second, to->second, names, &table).Fill();
      table.units[static_cast<size_t>(Side::kBlue)] = from->second.units;
      table.units[static_cast<size_t>(Side::kGreen)] = to->second.units;
      table.is_partitioned[static_cast<size_t>(Side::kBlue)] = from->second.is_partitioned;
      table.is_partitioned[static_cast<size_t>(Side::kGreen)] = to->second.is_partitioned;
      for (auto& units : table.units) NameWholes(published.qualified(), &units);
    }
    plan.push_back(std::move(table));
  }
  return plan;
}

}  // namespace pgteal::pipeline
