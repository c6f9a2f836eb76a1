#include "pipeline/source_lock.h"

#include <algorithm>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kUndefinedTable = "42P01";
constexpr size_t kTablesPerStatement = 200;

bool IsWanted(const PlannedTable& table, const std::optional<std::set<TableKey>>& wanted) {
  return !wanted || wanted->contains({table.schema, table.name});
}

}  // namespace

SourceLock::SourceLock(const pg::ConnInfo& source, const pg::SessionOptions& session)
    : connection_(source, session) {}

void SourceLock::Take(const std::string& publication,
                      const std::optional<std::set<TableKey>>& wanted) {
  while (true) {
    Release();
    connection_.Exec("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY");
    std::vector<PlannedTable> plan = ReadPlan(connection_, publication);
    std::erase_if(plan, [&](const auto& table) { return !IsWanted(table, wanted); });
    try {
      for (size_t first = 0; first < plan.size(); first += kTablesPerStatement) {
        std::string sql;
        for (size_t i = first; i < std::min(plan.size(), first + kTablesPerStatement); ++i) {
          sql += (sql.empty() ? "LOCK TABLE " : ", ") + plan[i].only() + plan[i].qualified();
        }
        connection_.Exec(sql + " IN ACCESS SHARE MODE");
      }
    } catch (const pg::ServerError& error) {
      if (error.sqlstate() != kUndefinedTable) throw;
      continue;  // dropped since we looked
    }
    std::set<TableKey> names;
    for (const auto& table : plan) names.emplace(table.schema, table.name);
    // What they are now that nothing can happen to them any more.
    for (const auto& table : ReadPlan(connection_, publication)) {
      if (names.contains({table.schema, table.name})) locked_.emplace(table.oid, table.filenode);
    }
    return;
  }
}

bool SourceLock::Covers(const std::vector<PlannedTable>& plan) const {
  return plan.size() == locked_.size() &&
         std::all_of(plan.begin(), plan.end(), [this](const PlannedTable& table) {
           return locked_.contains({table.oid, table.filenode});
         });
}

void SourceLock::Release() {
  if (connection_.in_transaction()) connection_.Exec("ROLLBACK");
  locked_.clear();
}

}  // namespace pgteal::pipeline
