#ifndef PGTEAL_PIPELINE_POST_DATA_H_
#define PGTEAL_PIPELINE_POST_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/dump_script.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// What blue's catalog says about an index, beyond the dump: how to build it on its own.
struct SourceIndex {
  std::string schema;
  std::string name;
  std::string table;
  uint64_t table_bytes = 0;
  uint64_t bytes = 0;                 // of the index itself
  bool is_partitioned = false;        // the index of a partitioned table: nothing to build
  bool has_key_per_row = true;        // a btree, say; not GIN, which has many
  bool is_btree = false;
  std::string constraint;             // the constraint it serves, or empty
  char constraint_kind = ' ';         // p, u, x
  std::string definition;             // CREATE [UNIQUE] INDEX …
  std::string constraint_attributes;  // " DEFERRABLE INITIALLY DEFERRED" or so
};
std::vector<SourceIndex> ReadIndexes(pg::Connection& blue);

struct Statement {
  std::string what;  // "INDEX orders_day_idx"
  std::string sql;
  uint64_t weight = 0;       // what a build costs, to compare it with others
  uint64_t btree_bytes = 0;  // of what is built; 0 for another kind of index, or when unknown
  TableKey table = {};       // of a build; empty when unknown
};

// The second half of a schema, cut so that what costs time runs in parallel: the indexes are built
// first, several of a table at the same time, constraints then take them over, foreign keys are
// added without a check and checked afterwards. Pure.
struct PostDataPlan {
  std::vector<Statement> parents;      // in order: indexes and keys of partitioned tables
  std::vector<Statement> builds;       // parallel, the most expensive first
  std::vector<Statement> attachments;  // in order: keys USING INDEX, indexes of partitions
  std::vector<Statement> constraints;  // in order; foreign keys NOT VALID
  std::vector<Statement> validations;  // parallel
  std::vector<Statement> rest;         // in order: triggers, rules, policies, event triggers last
};
// `publication`: ours, which is not for green.
PostDataPlan PlanPostData(const std::vector<DumpItem>& items,
                          const std::vector<SourceIndex>& indexes, const std::string& publication);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_POST_DATA_H_
