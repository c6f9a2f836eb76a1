#include "applier/target_relation.h"

#include <algorithm>

namespace pgteal::applier {

std::string TargetRelation::KeyNames() const {
  std::string names;
  for (const uint16_t column : key) {
    if (!names.empty()) names += ", ";
    names += source->columns[column].name;
  }
  return names;
}

bool TargetRelation::IsKey(size_t column) const {
  return std::find(key.begin(), key.end(), column) != key.end();
}

}  // namespace pgteal::applier
