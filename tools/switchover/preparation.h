#ifndef PGTEAL_TOOLS_SWITCHOVER_PREPARATION_H_
#define PGTEAL_TOOLS_SWITCHOVER_PREPARATION_H_

#include "pg/connection.h"

namespace pgteal::tools {

// What the side that is to be opened should have done before it takes the traffic.

// Populated materialized views are refreshed, those that others are made from first. One that
// cannot be is named in a warning.
void RefreshMaterializedViews(pg::Connection& side);
// Tables that were never analyzed: the planner knows nothing about them.
void AnalyzeTables(pg::Connection& side);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_PREPARATION_H_
