#include "applier/row_order.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

namespace pgteal::applier {
namespace {

using decoder::ColumnValue;
using decoder::ValueKind;

constexpr uint64_t kSignBit = uint64_t{1} << 63;

// The beginning of a row's key as a number: an integer takes one part, anything else two of them,
// or what is left.
using Place = std::array<uint64_t, 3>;

uint64_t BigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

bool IsInteger(pg::Oid type) {
  constexpr uint32_t kInt8 = 20;
  constexpr uint32_t kInt2 = 21;
  constexpr uint32_t kInt4 = 23;
  return type.value == kInt8 || type.value == kInt2 || type.value == kInt4;
}

uint64_t IntegerPlace(const ColumnValue& value) {
  int64_t number = 0;
  if (value.kind == ValueKind::kText) {
    std::from_chars(value.data, value.data + value.size, number);
  } else if (value.size > 0 && value.size <= sizeof number) {
    // Sign-extended from its own width.
    const unsigned spare = 64 - 8 * value.size;
    number = static_cast<int64_t>(BigEndian(value.bytes()) << spare) >> spare;
  }
  return static_cast<uint64_t>(number) ^ kSignBit;
}

uint64_t BytesPlace(std::string_view bytes) {
  const std::string_view first = bytes.substr(0, 8);
  return first.empty() ? 0 : BigEndian(first) << (64 - 8 * first.size());
}

Place PlaceOf(const TargetRelation& target, const ColumnValue* key) {
  Place place{};
  size_t filled = 0;
  for (const uint16_t column : target.key) {
    if (filled == place.size()) break;
    const ColumnValue& value = key[column];
    if (IsInteger(target.source->columns[column].type)) {
      place[filled++] = IntegerPlace(value);
      continue;
    }
    const std::string_view bytes = value.bytes();
    place[filled++] = BytesPlace(bytes);
    if (filled == place.size()) break;
    place[filled++] = BytesPlace(bytes.substr(std::min(bytes.size(), sizeof(uint64_t))));
  }
  return place;
}

}  // namespace

void OrderByKey(const TargetRelation& target, std::vector<const RowEffect*>* rows) {
  if (rows->size() < 2 || target.key.empty()) return;
  std::vector<std::pair<Place, const RowEffect*>> placed;
  placed.reserve(rows->size());
  for (const auto* row : *rows) placed.emplace_back(PlaceOf(target, row->key), row);
  const auto is_before = [](const auto& a, const auto& b) { return a.first < b.first; };
  if (std::is_sorted(placed.begin(), placed.end(), is_before)) return;
  std::stable_sort(placed.begin(), placed.end(), is_before);
  for (size_t i = 0; i < placed.size(); ++i) (*rows)[i] = placed[i].second;
}

}  // namespace pgteal::applier
