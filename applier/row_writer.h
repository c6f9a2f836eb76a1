#ifndef PGTEAL_APPLIER_ROW_WRITER_H_
#define PGTEAL_APPLIER_ROW_WRITER_H_

#include <deque>
#include <string>
#include <vector>

#include "applier/statement_cache.h"
#include "applier/statements.h"
#include "applier/target_relation.h"
#include "decoder/tuple.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

// Sends one prepared statement per row on a pipeline; each must touch exactly one row, which the
// owner of the pipeline checks. One lane's thread.
class RowWriter {
 public:
  using Values = const decoder::ColumnValue*;

  RowWriter(pg::Pipelined& pipelined, StatementCache& statements)
      : pipelined_(pipelined), statements_(statements) {}

  // Each returns the index of its statement in the pipeline.
  size_t Insert(const TargetRelation& target, Values row);
  // Finds the row by `old_row` (its key, or all of it where there is no key) and writes the columns
  // of `row` that blue sent. `moves_key`: the key columns are written too.
  size_t Update(const TargetRelation& target, Values old_row, Values row, bool moves_key);
  size_t Delete(const TargetRelation& target, Values old_row);
  // Deletes whatever row holds the values of `row` in these columns, other than the one that
  // `own_row` finds (null: none is spared).
  size_t DeleteOthers(const TargetRelation& target, const ColumnList& unique, Values row,
                      Values own_row);

 private:
  void AddParams(const TargetRelation& target, const ColumnList& columns, Values row,
                 bool skip_null);
  size_t Send(const std::string& sql);
  // The condition for `old_row`, its parameters added after those already there.
  std::string Match(const TargetRelation& target, Values old_row);

  pg::Pipelined& pipelined_;
  StatementCache& statements_;
  pg::Params params_;
  std::vector<pg::Oid> types_;
  std::deque<std::string> texts_;  // NUL-terminated copies: libpq takes text values as C strings
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_ROW_WRITER_H_
