#include "pipeline/verify_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// Somebody else's lock on a row of green must not hold the stream up.
constexpr const char* kPrepareSql = "SET lock_timeout = '2s'; BEGIN ISOLATION LEVEL READ COMMITTED";

// One table of it. A row's place is taken as a proof that nobody has touched the row: every change
// makes a new version at another place, under another transaction's number, and what moves a row
// without changing it makes a new file. A statement that asks for the file has locked the table
// before, so that it stays that one.
class TableRepair {
 public:
  enum class Outcome : uint8_t { kRepaired, kTouched };

  TableRepair(pg::Connection& blue, pg::Connection& green, const VerifyTable& table)
      : blue_(blue), green_(green), table_(table) {
    blue_name_ = table.only(Side::kBlue) + Root();
    green_name_ = table.only(Side::kGreen) + Root();
  }

  Outcome Repair(const RowDifference& difference) {
    if (difference.green && !IsThere(green_, green_name_, *difference.green, " FOR UPDATE")) {
      return Outcome::kTouched;
    }
    if (difference.kind == DifferenceKind::kExtra) return Delete(difference);
    const auto row = blue_.Exec(fmt::format("SELECT {} FROM {} WHERE {}", ColumnList(Written()),
                                            blue_name_, AtPlace(*difference.blue)));
    if (row.is_empty()) return Outcome::kTouched;
    return difference.kind == DifferenceKind::kMissing ? Insert(difference, row)
                                                       : Update(difference, row);
  }

 private:
  static std::string AtPlace(const RowPlace& place) {
    return fmt::format(
        "tableoid = {}::oid AND pg_relation_filenode(tableoid) = {}::oid AND ctid = '{}'::tid"
        " AND xmin = '{}'::xid",
        place.table_oid, place.filenode, place.ctid, place.xmin);
  }

  static bool IsThere(pg::Connection& side, const std::string& name, const RowPlace& place,
                      const char* lock) {
    return !side.Exec(fmt::format("SELECT FROM {} WHERE {}{}", name, AtPlace(place), lock))
                .is_empty();
  }

  bool HasKey(pg::Connection& side, const std::string& name, const RowDifference& difference) {
    if (table_.key.empty()) return false;
    std::string where;
    pg::TextParams params;
    for (size_t i = 0; i < table_.key.size(); ++i) {
      where += fmt::format("{}{} = ${}", i == 0 ? "" : " AND ",
                           pg::QuoteIdentifier(table_.columns[table_.key[i]].name), i + 1);
      params.emplace_back(difference.key[i]);
    }
    return !side.Exec(fmt::format("SELECT FROM {} WHERE {} LIMIT 1", name, where), params)
                .is_empty();
  }

  Outcome Delete(const RowDifference& difference) {
    if (HasKey(blue_, blue_name_, difference)) return Outcome::kTouched;
    green_.Exec(fmt::format("DELETE FROM {} WHERE {}", green_name_, AtPlace(*difference.green)));
    return Outcome::kRepaired;
  }

  Outcome Insert(const RowDifference& difference, const pg::Result& row) {
    if (HasKey(green_, green_name_, difference)) return Outcome::kTouched;
    const auto columns = Written();
    if (columns.empty()) {
      green_.Exec(fmt::format("INSERT INTO {} DEFAULT VALUES", Root()));
      return Outcome::kRepaired;
    }
    std::string values;
    pg::TextParams params;
    for (size_t i = 0; i < columns.size(); ++i) {
      values += fmt::format("{}${}", i == 0 ? "" : ", ", i + 1);
      params.push_back(row.Optional(0, static_cast<int>(i)));
    }
    green_.Exec(fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})", Root(),
                            ColumnList(columns), values),
                params);
    return Outcome::kRepaired;
  }

  Outcome Update(const RowDifference& difference, const pg::Result& row) {
    const auto columns = Written();
    std::string set;
    pg::TextParams params;
    for (size_t i = 0; i < columns.size(); ++i) {
      const auto& names = difference.columns;
      if (std::find(names.begin(), names.end(), columns[i]->name) == names.end()) continue;
      params.push_back(row.Optional(0, static_cast<int>(i)));
      set += fmt::format("{}{} = ${}", set.empty() ? "" : ", ",
                         pg::QuoteIdentifier(columns[i]->name), params.size());
    }
    if (set.empty()) {
      throw pg::Error("only generated columns differ: what generates them does");
    }
    green_.Exec(
        fmt::format("UPDATE {} SET {} WHERE {}", green_name_, set, AtPlace(*difference.green)),
        params);
    return Outcome::kRepaired;
  }

  std::vector<const VerifyColumn*> Written() const {
    std::vector<const VerifyColumn*> columns;
    for (const auto& column : table_.columns) {
      if (!column.is_generated) columns.push_back(&column);
    }
    return columns;
  }

  static std::string ColumnList(const std::vector<const VerifyColumn*>& columns) {
    std::string list;
    for (const auto* column : columns) {
      list += (list.empty() ? "" : ", ") + pg::QuoteIdentifier(column->name);
    }
    return list;
  }

  std::string Root() const { return pg::QuoteQualified(table_.schema, table_.name); }

  pg::Connection& blue_;
  pg::Connection& green_;
  const VerifyTable& table_;
  std::string blue_name_;
  std::string green_name_;
};

// Locks green's progress row, so that no batch can commit, and makes sure that it stands at the
// snapshot.
bool LockProgress(pg::Connection& green, const std::string& name, const HeldPoint& point) {
  const auto row =
      green.Exec("SELECT end_lsn FROM pgteal.progress WHERE slot = $1 FOR SHARE", {name});
  if (row.is_empty()) return false;
  const pg::Lsn progress = row.LsnAt(0, 0);
  return point.hold ? progress == point.lsn : progress <= point.lsn;
}

void RepairTableRows(pg::Connection& blue, pg::Connection& green, const RepairTable& table,
                     RepairResult* result) {
  TableRepair repair(blue, green, *table.plan);
  for (const auto& difference : *table.differences) {
    green.Exec("SAVEPOINT repair");
    try {
      const bool is_repaired = repair.Repair(difference) == TableRepair::Outcome::kRepaired;
      ++(is_repaired ? result->repaired : result->touched);
    } catch (const pg::ConnectionLost&) {
      throw;
    } catch (const pg::Interrupted&) {
      throw;
    } catch (const pg::Error& error) {
      result->failures.push_back(fmt::format("{}: {}", table.plan->display_name(), error.what()));
      green.Exec("ROLLBACK TO SAVEPOINT repair");
    }
    green.Exec("RELEASE SAVEPOINT repair");
  }
}

}  // namespace

RepairResult RepairRows(const Deployment& deployment, const SnapshotOptions& options,
                        const std::vector<RepairTable>& tables, const std::atomic<bool>& stop) {
  auto green_session = SessionOptionsFor("repair", deployment.name, options.interrupt);
  pg::Connection green(deployment.target, green_session);
  if (pg::MaySetReplicaRole(green)) green.Exec("SET session_replication_role = replica");
  auto point = HoldAtSnapshot(deployment, options, stop);
  green.Exec(kPrepareSql);
  if (!LockProgress(green, deployment.name, point)) {
    throw pg::Refused(deployment.sides.Format("the stream went on before green could be repaired"),
                      "Try again.");
  }
  RepairResult result;
  for (const auto& table : tables) {
    RepairTableRows(*point.blue.front(), green, table, &result);
  }
  green.Exec("COMMIT");
  if (point.hold) point.hold->Release();
  return result;
}

}  // namespace pgteal::pipeline
