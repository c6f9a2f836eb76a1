#ifndef PGTEAL_APPLIER_ROW_KEY_H_
#define PGTEAL_APPLIER_ROW_KEY_H_

#include <cstdint>

#include "applier/target_relation.h"
#include "decoder/tuple.h"

namespace pgteal::applier {

// Hash of green's table and the key columns' bytes; never 0. Equal bytes mean the same row; equal
// values may have different bytes (numeric 1.0 and 1.00), which is safe: such rows meet on green's
// locks, row counts or unique index, and the batch is repeated in order.
uint64_t HashKey(const TargetRelation& target, const decoder::ColumnValue* tuple);
bool SameKey(const TargetRelation& target, const decoder::ColumnValue* a,
             const decoder::ColumnValue* b);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_ROW_KEY_H_
