#include "pipeline/verify_result.h"

#include <algorithm>

namespace pgteal::pipeline {

uint64_t VerifyResult::difference_count() const {
  uint64_t count = 0;
  for (const auto& table : tables) count += table.difference_count();
  return count;
}

uint64_t VerifyResult::row_count() const {
  uint64_t count = 0;
  for (const auto& table : tables) count += table.blue_rows;
  return count;
}

bool VerifyResult::is_equal() const {
  return faults.empty() && std::all_of(tables.begin(), tables.end(),
                                       [](const auto& table) { return table.is_equal(); });
}

}  // namespace pgteal::pipeline
