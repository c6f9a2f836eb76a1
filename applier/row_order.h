#ifndef PGTEAL_APPLIER_ROW_ORDER_H_
#define PGTEAL_APPLIER_ROW_ORDER_H_

#include <vector>

#include "applier/batch.h"
#include "applier/target_relation.h"

namespace pgteal::applier {

// Puts rows of one table about into the order of the key, column by column as the table has them,
// so that green finds neighbours after each other: in the key's index, and often in the table. Any
// order is correct. Pure.
void OrderByKey(const TargetRelation& target, std::vector<const RowEffect*>* rows);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_ROW_ORDER_H_
