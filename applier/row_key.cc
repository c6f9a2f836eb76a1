#include "applier/row_key.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pgteal::applier {

uint64_t HashKey(const TargetRelation& target, const decoder::ColumnValue* tuple) {
  uint64_t hash = target.oid.value;
  for (const uint16_t column : target.key) {
    const auto& value = tuple[column];
    hash = XXH3_64bits_withSeed(value.data, value.size, hash + static_cast<uint8_t>(value.kind));
  }
  return hash == 0 ? 1 : hash;
}

bool SameKey(const TargetRelation& target, const decoder::ColumnValue* a,
             const decoder::ColumnValue* b) {
  for (const uint16_t column : target.key) {
    if (a[column].kind != b[column].kind || a[column].bytes() != b[column].bytes()) return false;
  }
  return true;
}

}  // namespace pgteal::applier
