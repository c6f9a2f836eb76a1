#include "pipeline/verify_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pg/quote.h"
#include "pipeline/copy_plan.h"
#include "pipeline/verify_catalog.h"

namespace pgteal::pipeline {
namespace {

const CatalogColumn* Find(const std::vector<CatalogColumn>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&name](const auto& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

// Fills one table of the plan from both catalogs.
class TableMatch {
 public:
  TableMatch(const PlannedTable& published, const CatalogTable& blue, const CatalogTable& green,
             const applier::SideNames& names, VerifyTable* table)
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
    table_->columns.push_back(MatchColumn(blue, *green));
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
  const applier::SideNames& names_;
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
                                    const applier::SideNames& names) {
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
