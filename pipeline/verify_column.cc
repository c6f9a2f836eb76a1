#include "pipeline/verify_column.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// Object ids of built-in types (pg_type.dat).
constexpr uint32_t kInt8 = 20;
constexpr uint32_t kInt2 = 21;
constexpr uint32_t kInt4 = 23;
constexpr uint32_t kText = 25;
constexpr uint32_t kJson = 114;
constexpr uint32_t kFloat4 = 700;
constexpr uint32_t kFloat8 = 701;
constexpr uint32_t kBpchar = 1042;
constexpr uint32_t kVarchar = 1043;
constexpr uint32_t kDate = 1082;
constexpr uint32_t kTimestamp = 1114;
constexpr uint32_t kTimestamptz = 1184;
constexpr uint32_t kNumeric = 1700;
constexpr uint32_t kUuid = 2950;
constexpr uint32_t kJsonb = 3802;

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

// Digits after the point of "numeric(12,4)"; none: as many as a value has.
std::optional<int> ScaleOf(const std::string& numeric) {
  const size_t comma = numeric.find(',');
  if (comma == std::string::npos) return std::nullopt;
  int scale = 0;
  std::from_chars(numeric.data() + comma + 1, numeric.data() + numeric.size(), scale);
  return scale;
}

// A narrower type is none of these: what it loses is a difference.
bool IsWidenedOtherwisePrinted(const CatalogColumn& blue, const CatalogColumn& green) {
  const uint32_t from = blue.base_type;
  const uint32_t to = green.base_type;
  if (from == kNumeric && to == kNumeric) {
    const auto before = ScaleOf(blue.type);
    const auto after = ScaleOf(green.type);
    return before && after && *before < *after;
  }
  return (IsInteger(from) && (to == kNumeric || to == kFloat8)) ||
         (from == kDate && (to == kTimestamp || to == kTimestamptz)) ||
         (from == kTimestamp && to == kTimestamptz) || (from == kJson && to == kJsonb);
}

}  // namespace

std::string VerifyColumn::Sql(Side side) const {
  const std::string quoted = pg::QuoteIdentifier(name);
  if (is_single) {
    // Beyond float4's range the cast would be an error.
    return fmt::format(
        "CASE WHEN abs({0}::float8) BETWEEN 1.2e-38 AND 3.4e38 THEN {0}::float4::float8"
        " ELSE {0}::float8 END",
        quoted);
  }
  if (side == Side::kGreen || blue_cast.empty()) return quoted;
  return fmt::format("{}::{}", quoted, blue_cast);
}

VerifyColumn MatchColumn(const CatalogColumn& blue, const CatalogColumn& green) {
  VerifyColumn column;
  column.name = blue.name;
  column.text = TextFor(blue, green);
  column.hash = HashFor(blue, green);
  column.is_generated = blue.is_generated && green.is_generated;
  if (IsWidenedOtherwisePrinted(blue, green)) column.blue_cast = green.type;
  column.is_single = blue.base_type == kFloat4 && green.base_type == kFloat8;
  return column;
}

}  // namespace pgteal::pipeline
