#ifndef PGTEAL_PIPELINE_TABLE_STATE_H_
#define PGTEAL_PIPELINE_TABLE_STATE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/copy_plan.h"

namespace pgteal::pipeline {

struct Deployment;

// pgteal.table_state on green: how far each table of a load is. It survives us: the same command
// goes on from it. Phases: pending, copying, copied, ready. A table that is copied holds blue's
// rows as of its ready_lsn, and the stream leaves out what was committed up to there.
struct TableState {
  std::string phase;
  std::optional<pg::Lsn> ready_lsn;
};
using TableKey = std::pair<std::string, std::string>;  // schema, name
// As --reload-table takes it: without quotes, but around a schema that has a dot in its name.
std::string ReloadName(const TableKey& key);
std::map<TableKey, TableState> ReadTableStates(pg::Connection& green, const std::string& name);

inline bool IsCopied(const TableState& state) {
  return state.phase == "copied" || state.phase == "ready";
}

std::set<TableKey> KeysOf(const std::vector<PlannedTable>& plan);
bool IsCopied(const std::map<TableKey, TableState>& states, const PlannedTable& table);

// Large objects have a row of their own.
PlannedTable LargeObjectsRow();
// Tables that an earlier attempt has not copied.
std::set<TableKey> ReadUncopied(pg::Connection& green, const std::string& name);

// Rows for tables that have none yet, as pending.
void AddTableStates(pg::Connection& green, const std::string& name,
                    const std::vector<PlannedTable>& plan);
// Before a stream that has nothing to do with the copies on record: what an earlier deployment of
// this name left there are positions of another log, and the stream would leave out what is before
// them.
void ForgetTableStates(pg::Connection& side, const std::string& name);
// Before the table is touched. What an earlier copy put there is still in it: its ready_lsn stays.
void SetCopying(pg::Connection& green, const std::string& name, const PlannedTable& table);
// Inside the transaction that empties the table, when others will fill it.
void SetEmptied(pg::Connection& green, const std::string& name, const PlannedTable& table);
// Inside the transaction that writes the table, or after it.
void SetCopied(pg::Connection& green, const std::string& name, const PlannedTable& table,
               pg::Lsn ready_lsn, uint64_t rows, uint64_t bytes);
// Published tables that a reload which was interrupted has left without all their rows. None while
// the first load is at work, which goes on by itself.
std::set<TableKey> UnfinishedReloads(pg::Connection& blue, pg::Connection& green,
                                     const std::string& name);
// Takes those that were not copied and are published no more off the record, with a warning: tables
// that were dropped on blue before an interrupted load came to them.
void ForgetVanished(pg::Connection& blue, pg::Connection& green, const Deployment& deployment);
void SetAllReady(pg::Connection& green, const std::string& name);

// pgteal.deployment.state: schema, copying, indexing, streaming.
std::string DeploymentState(pg::Connection& green, const std::string& name);  // empty: none
// The same for whoever has more to ask at once and knows that green has our schema.
pg::Connection::Query DeploymentStateQuery(const std::string& name);
std::string DeploymentStateFrom(const pg::Result& row);
void SetDeploymentState(pg::Connection& green, const std::string& name, const std::string& state);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TABLE_STATE_H_
