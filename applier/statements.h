#ifndef PGTEAL_APPLIER_STATEMENTS_H_
#define PGTEAL_APPLIER_STATEMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "applier/target_relation.h"
#include "decoder/tuple.h"

namespace pgteal::applier {

// SQL text for one table. Pure. Set statements take one array parameter a column and touch any
// number of rows; row statements take one parameter a column.

using ColumnList = std::vector<uint16_t>;  // indexes of source columns

// How the values of one column travel as an array parameter.
enum class Transport : uint8_t {
  kText,    // text[] of output texts, cast to green's type: its input function decides
  kBinary,  // an array of the type itself
};

struct SetStatement {
  std::string sql;
  std::vector<pg::Oid> parameter_types;
};

// INSERT … SELECT … FROM unnest(…); parameter i carries written[i].
SetStatement InsertSet(const TargetRelation& target, const std::vector<Transport>& transports);
// UPDATE … FROM unnest(…); parameters carry the key columns, then identity columns that may not
// change, then `assigned`. `transports` is indexed by source column.
SetStatement UpdateSet(const TargetRelation& target, const ColumnList& assigned,
                       const std::vector<Transport>& transports);
SetStatement DeleteSet(const TargetRelation& target, const std::vector<Transport>& transports);

// Columns that an update may assign: written, not in the key, not GENERATED ALWAYS AS IDENTITY.
ColumnList AssignableColumns(const TargetRelation& target);
// GENERATED ALWAYS AS IDENTITY outside the key: an update finds its row by them too, since it
// cannot write them; a row that is not found that way is replaced in exact mode.
ColumnList FixedColumns(const TargetRelation& target);

std::string CopySql(const TargetRelation& target, bool is_binary);

// Parameters: `written` in order.
std::string InsertRowSql(const TargetRelation& target, const ColumnList& columns);
// Parameters: `assigned`, then those of the condition.
std::string UpdateRowSql(const TargetRelation& target, const ColumnList& assigned,
                         const std::string& condition);
// Finds and locks the row: what is left of an update that has no column to write.
std::string FindRowSql(const TargetRelation& target, const std::string& condition);
std::string DeleteRowSql(const TargetRelation& target, const std::string& condition);
// "t.k = $n AND …" with parameters numbered from `first`; columns that are null in `row` compare
// with IS NULL and take no parameter.
std::string MatchSql(const TargetRelation& target, const ColumnList& columns,
                     const decoder::ColumnValue* row, bool by_spelling, size_t first);
// Restricts a match to one row where several may be equal (no key).
std::string OneOfSql(const TargetRelation& target, const std::string& match);

// TRUNCATE of all tables of one statement.
std::string TruncateSql(const std::vector<const TargetRelation*>& targets, bool restart_identity);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_STATEMENTS_H_
