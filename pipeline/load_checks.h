#ifndef PGTEAL_PIPELINE_LOAD_CHECKS_H_
#define PGTEAL_PIPELINE_LOAD_CHECKS_H_

#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/copy_plan.h"
#include "pipeline/options.h"
#include "pipeline/schema_dump.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// What must hold before a load touches anything. All throw Refused.

// Two databases, green writable.
void RequirePair(pg::Connection& blue, pg::Connection& green, const applier::SideNames& sides);
// For a first load: green can hold every text of blue's. On the way back it is known not to, where
// blue's encoding is the smaller one.
void RequireEncoding(pg::Connection& blue, pg::Connection& green);
// For --copy all: nothing of a user on green; blue's roles and extensions are to be had there.
void RequireEmptyTarget(pg::Connection& green);
void RequireRolesAndExtensions(pg::Connection& blue, pg::Connection& green,
                               const DumpOptions& options);
// For --copy data: tables without rows.
void RequireEmptyTables(pg::Connection& green, const std::vector<PlannedTable>& plan);

// Nobody streams, and the slot of a load that goes on is there.
void RequireIdleSlot(pg::Connection& blue, const Deployment& deployment, bool is_resumed);

// For --reload-table: the tables as the plan has them, which names partitions where the publication
// sends those. Throws ConfigError for a table that is not in the deployment's publication.
std::set<TableKey> FindPublished(pg::Connection& blue, const Deployment& deployment,
                                 const std::set<TableKey>& tables);

// Leaves only `wanted` tables in a plan. Green must have the columns of those that an interrupted
// load has copied: one that blue got since would go unnoticed until a row changes.
void NarrowPlan(pg::Connection& green, const Deployment& deployment,
                const std::set<TableKey>& wanted, std::vector<PlannedTable>* plan);

// Before a table is emptied: with triggers at work a foreign key would delete or change rows of
// tables that are not copied anew, or were just now.
void RequireNoCascade(pg::Connection& green, const applier::SideNames& sides,
                      const PlannedTable& table);
// Before a reload is on record, as one that is refused later leaves its tables incomplete. Fills
// the plan as MatchTarget does.
void RequireReloadable(pg::Connection& green, const applier::SideNames& sides,
                       std::vector<PlannedTable>* plan);

// Of what blue has and no logical copy carries: unlogged and foreign tables, tables that are not
// published, tables of extensions, subscriptions.
void WarnOfNotCopied(pg::Connection& blue, const std::string& publication);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LOAD_CHECKS_H_
