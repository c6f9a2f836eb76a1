#include "tools/verify/verify_report.h"

#include <fmt/format.h>

#include "tools/cli/json_text.h"

namespace pgteal::tools {
namespace {

using pipeline::DifferenceKind;
using pipeline::RowDifference;
using pipeline::TableResult;

const char* KindName(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing:
      return "missing";
    case DifferenceKind::kExtra:
      return "extra";
    case DifferenceKind::kDifferent:
      return "different";
  }
  return "";
}

std::string Verdict(const TableResult& table) {
  if (!table.fault.empty()) return table.fault;
  if (table.is_equal()) return "equal";
  return fmt::format("DIFFERENT: {}{} missing, {} extra, {} changed",
                     table.is_exact ? "" : "at least ", table.missing, table.extra,
                     table.different);
}

std::string Quoted(const std::optional<std::string>& text) {
  if (!text) return "NULL";
  return JsonText(nlohmann::json(*text));
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// id="5", region="eu"; of a table without a key, where the row is.
std::string RowName(const TableResult& table, const RowDifference& difference) {
  std::string name;
  for (size_t i = 0; i < difference.key.size(); ++i) {
    name +=
        fmt::format("{}{}={}", i == 0 ? "" : ", ", table.key_columns[i], Quoted(difference.key[i]));
  }
  if (!name.empty()) return name;
  const auto& place = difference.blue ? difference.blue : difference.green;
  return fmt::format("a row without a key at ctid {}", place ? place->ctid : "");
}

std::string DifferenceText(const TableResult& table, const RowDifference& difference) {
  std::string text =
      fmt::format("    {:<9} {}", KindName(difference.kind), RowName(table, difference));
  if (!difference.columns.empty()) text += fmt::format("  ({})", Joined(difference.columns));
  return text + "\n";
}

std::string TableText(const TableResult& table) {
  std::string text = fmt::format("  {:<40} {:>12} rows  {}\n", table.schema + "." + table.name,
                                 table.blue_rows, Verdict(table));
  for (const auto& difference : table.differences) text += DifferenceText(table, difference);
  const uint64_t shown = table.differences.size();
  if (table.difference_count() > shown) {
    text += fmt::format("    … and {} more\n", table.difference_count() - shown);
  }
  for (const auto& note : table.notes) text += fmt::format("    note: {}\n", note);
  return text;
}

std::string RepairText(const pipeline::VerifyResult& result) {
  if (!result.repair_refusal.empty()) {
    return fmt::format("nothing was repaired: {}\n", result.repair_refusal);
  }
  if (!result.repair) return "";
  std::string text =
      fmt::format("repaired {} rows on {}; {} were changed meanwhile and left alone\n",
                  result.repair->repaired, result.names.green, result.repair->touched);
  for (const auto& failure : result.repair->failures) {
    text += fmt::format("  not repaired: {}\n", failure);
  }
  return text + "Verify again to see the result.\n";
}

nlohmann::json RepairJson(const pipeline::VerifyResult& result) {
  if (!result.repair_refusal.empty()) return {{"refused", result.repair_refusal}};
  if (!result.repair) return nullptr;
  return {{"repaired", result.repair->repaired},
          {"touched", result.repair->touched},
          {"failures", result.repair->failures}};
}

nlohmann::json DifferenceJson(const TableResult& table, const RowDifference& difference,
                              const applier::SideNames& names) {
  nlohmann::json key = nlohmann::json::object();
  for (size_t i = 0; i < difference.key.size(); ++i) {
    const auto& value = difference.key[i];
    key[table.key_columns[i]] = value ? nlohmann::json(*value) : nlohmann::json();
  }
  nlohmann::json json = {{"kind", KindName(difference.kind)}, {"key", key}};
  if (!difference.columns.empty()) json["columns"] = difference.columns;
  if (difference.key.empty()) {
    if (difference.blue) json[names.blue + "_ctid"] = difference.blue->ctid;
    if (difference.green) json[names.green + "_ctid"] = difference.green->ctid;
  }
  return json;
}

nlohmann::json TableJson(const TableResult& table, const applier::SideNames& names) {
  nlohmann::json differences = nlohmann::json::array();
  for (const auto& difference : table.differences) {
    differences.push_back(DifferenceJson(table, difference, names));
  }
  nlohmann::json json = {{"schema", table.schema},
                         {"table", table.name},
                         {"equal", table.is_equal()},
                         {"lsn", table.lsn.ToString()},
                         {names.blue + "_rows", table.blue_rows},
                         {names.green + "_rows", table.green_rows},
                         {"missing", table.missing},
                         {"extra", table.extra},
                         {"different", table.different},
                         {"exact", table.is_exact},
                         {"differences", differences},
                         {"notes", table.notes}};
  if (!table.fault.empty()) json["fault"] = table.fault;
  return json;
}

}  // namespace

std::string VerifyText(const pipeline::VerifyResult& result) {
  std::string text;
  for (const auto& table : result.tables) text += TableText(table);
  for (const auto& fault : result.faults) text += fmt::format("  fault: {}\n", fault);
  for (const auto& note : result.notes) text += fmt::format("  note: {}\n", note);
  return text +
         fmt::format(
             "{} at {}: {} tables, {} rows, {} differences in {:.1f} s; the stream "
             "stood still for {} ms\n",
             result.is_equal() ? "equal" : "DIFFERENT", result.lsn, result.tables.size(),
             result.row_count(), result.difference_count(),
             static_cast<double>(result.took.count()) / 1000, result.paused.count()) +
         RepairText(result);
}

nlohmann::json VerifyJson(const pipeline::VerifyResult& result) {
  nlohmann::json tables = nlohmann::json::array();
  for (const auto& table : result.tables) tables.push_back(TableJson(table, result.names));
  return {{"equal", result.is_equal()},     {"source", result.names.blue},
          {"repair", RepairJson(result)},   {"lsn", result.lsn.ToString()},
          {"rows", result.row_count()},     {"differences", result.difference_count()},
          {"filtered", result.is_filtered}, {"paused_ms", result.paused.count()},
          {"took_ms", result.took.count()}, {"tables", tables},
          {"faults", result.faults},        {"notes", result.notes}};
}

}  // namespace pgteal::tools
