#ifndef PGTEAL_PIPELINE_COPY_PLAN_H_
#define PGTEAL_PIPELINE_COPY_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "applier/side_names.h"
#include "pg/connection.h"

namespace pgteal::pipeline {

struct PlannedColumn {
  std::string name;  // unquoted
  std::string type;  // "pg_catalog.int4"; equal names mean equal types
  uint32_t type_oid = 0;
  char type_kind = 'b';  // pg_type.typtype
  bool has_binary = false;  // a binary form that means the same everywhere; known of blue's columns
};

// One table that the publication sends, as a snapshot of blue shows it, and how to copy it.
struct PlannedTable {
  std::string schema;
  std::string name;
  uint32_t oid = 0;
  uint32_t filenode = 0;  // changes when the table is rewritten; 0 for partitioned tables
  bool is_partitioned = false;
  uint64_t bytes = 0;  // on disk, TOAST included
  uint64_t pages = 0;
  std::vector<PlannedColumn> columns = {};  // without generated ones
  std::string row_filter = {};              // of the publication, as SQL; or empty

  // From green, by MatchTarget.
  bool is_binary = false;
  bool has_references = false;  // foreign keys point at it: TRUNCATE is not possible
  bool may_freeze = true;

  std::string qualified() const;  // quoted
  // "ONLY " keeps the children of an inheritance parent out.
  std::string only() const { return is_partitioned ? "" : "ONLY "; }
  std::string column_list() const;  // quoted, without parentheses; empty for none
};

// A table or a range of its pages: the work of one COPY.
struct CopyTask {
  size_t table = 0;  // index into the plan
  struct Pages {
    uint64_t begin;
    std::optional<uint64_t> end;  // none: to the end of the table
  };
  std::optional<Pages> pages;  // none: the whole table
};

// What publication `name` sends: the tables with their columns, filters and sizes, in the order of
// their names. Tables of extensions and of pgteal itself are left out.
std::vector<PlannedTable> ReadPlan(pg::Connection& blue, const std::string& publication);

// Fills what depends on green's tables. Throws Refused naming tables and columns that green lacks.
void MatchTarget(pg::Connection& green, const applier::SideNames& sides,
                 std::vector<PlannedTable>* plan);

// Largest first. A table that is larger than its fair share of `jobs` is split into page ranges, so
// that one big table keeps every job busy. `wanted`: indexes into the plan.
std::vector<CopyTask> SplitTasks(const std::vector<PlannedTable>& plan,
                                 const std::vector<size_t>& wanted, size_t jobs);

// COPY … TO STDOUT on blue and COPY … FROM STDIN on green for a task.
std::string CopyOutSql(const PlannedTable& table, const CopyTask& task);
std::string CopyInSql(const PlannedTable& table, bool freeze);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_COPY_PLAN_H_
