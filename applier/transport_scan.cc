#include "applier/transport_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "applier/errors.h"

namespace pgteal::applier {
namespace {

constexpr uint8_t kSawText = 1;
constexpr uint8_t kSawBinary = 2;

}  // namespace

TransportScan::TransportScan(const TargetRelation& target)
    : target_(target),
      transports_(target.columns.size(), Transport::kText),
      seen_(target.columns.size(), 0) {}

void TransportScan::Look(const decoder::ColumnValue* row, const ColumnList& columns) {
  for (const uint16_t column : columns) {
    if (row[column].kind == decoder::ValueKind::kText) {
      seen_[column] |= kSawText;
    } else if (row[column].kind == decoder::ValueKind::kBinary) {
      if (seen_[column] == kSawBinary) continue;
      if (!target_.columns[column].takes_binary) {
        throw BinaryRefused(fmt::format("column {} of {} cannot be written in binary form",
                                        target_.source->columns[column].name,
                                        target_.DisplayName()));
      }
      seen_[column] |= kSawBinary;
      transports_[column] = Transport::kBinary;
    }
  }
}

bool TransportScan::FitsArrays(const ColumnList& columns) const {
  return std::all_of(columns.begin(), columns.end(), [this](uint16_t column) {
    return seen_[column] != (kSawText | kSawBinary) &&
           (seen_[column] != kSawBinary || !target_.columns[column].is_array);
  });
}

bool TransportScan::IsAllText(const ColumnList& columns) const {
  return std::all_of(columns.begin(), columns.end(),
                     [this](uint16_t column) { return (seen_[column] & kSawBinary) == 0; });
}

bool TransportScan::FitsCopyBinary(const ColumnList& columns) const {
  return std::all_of(columns.begin(), columns.end(), [this](uint16_t column) {
    const auto& target = target_.columns[column];
    return (seen_[column] & kSawText) == 0 && target.binary_type == target.type;
  });
}

}  // namespace pgteal::applier
