#include "pipeline/source_lock.h"

#include <algorithm>

#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kUndefinedTable = "42P01";
constexpr const char* kDeadlock = "40P01";

// Without a function that would open (and so lock) a table.
constexpr const char* kFilenodesSql = R"(
SELECT n.nspname, c.relname, c.oid, c.relfilenode
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p'))";
constexpr size_t kTablesPerStatement = 200;

bool IsWanted(const PlannedTable& table, const std::optional<std::set<TableKey>>& wanted) {
  return !wanted || wanted->contains({table.schema, table.name});
}

}  // namespace

SourceLock::SourceLock(const pg::ConnInfo& source, const pg::SessionOptions& session)
    : connection_(source, session) {}

void SourceLock::Take(pg::Connection& blue, const std::string& publication,
                      const std::optional<std::set<TableKey>>& wanted) {
  while (true) {
    Release();
    std::vector<PlannedTable> plan = ReadPlan(blue, publication);
    connection_.Exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
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
      if (error.sqlstate() != kUndefinedTable && error.sqlstate() != kDeadlock) throw;
      continue;  // dropped or being changed since we looked
    }
    std::set<TableKey> names;
    for (const auto& table : plan) names.emplace(table.schema, table.name);
    // What they are now that nothing can happen to them any more.
    const auto rows = blue.Exec(kFilenodesSql);
    for (int i = 0; i < rows.rows(); ++i) {
      if (!names.contains({rows.String(i, 0), rows.String(i, 1)})) continue;
      locked_.emplace(static_cast<uint32_t>(rows.Int(i, 2)), static_cast<uint32_t>(rows.Int(i, 3)));
    }
    return;
  }
}

void SourceLock::Import(const std::string& snapshot) {
  connection_.Exec("SET TRANSACTION SNAPSHOT " + pg::QuoteLiteral(snapshot));
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
