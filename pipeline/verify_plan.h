#ifndef PGTEAL_PIPELINE_VERIFY_PLAN_H_
#define PGTEAL_PIPELINE_VERIFY_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "pipeline/table_filter.h"
#include "pipeline/verify_column.h"

namespace pgteal::pipeline {

// A published table and its counterpart, matched by name.
struct VerifyTable {
  std::string schema;
  std::string name;
  std::vector<VerifyColumn> columns;  // compared; blue's order
  std::vector<size_t> key;            // indexes into columns; empty: rows are a bag
  std::string row_filter;             // of the publication, as SQL; or empty
  std::vector<VerifyUnit> units[2];   // by Side
  bool is_partitioned[2] = {false, false};
  // Why rows cannot be compared: the table or a column is missing on green. Or empty.
  std::string fault;
  // What else is not alike (types, defaults, generated columns, columns that green alone has).
  std::vector<std::string> notes;

  std::string display_name() const { return schema + "." + name; }
  const std::vector<VerifyUnit>& side(Side side) const { return units[static_cast<size_t>(side)]; }
  // Keeps the children of an inheritance parent out.
  const char* only(Side side) const {
    return is_partitioned[static_cast<size_t>(side)] ? "" : "ONLY ";
  }
  uint64_t bytes() const;
};

// The tables that the publication sends, as the two sessions' snapshots show them.
std::vector<VerifyTable> PlanVerify(pg::Connection& blue, pg::Connection& green,
                                    const std::string& publication, const TableFilter& filter,
                                    const applier::SideNames& names);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_PLAN_H_
