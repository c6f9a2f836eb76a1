#ifndef PGTEAL_PIPELINE_COMPLETE_RECORD_H_
#define PGTEAL_PIPELINE_COMPLETE_RECORD_H_

#include <map>
#include <set>
#include <string>

#include "pg/connection.h"
#include "pipeline/membership.h"
#include "pipeline/schema_diff.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// What publication_watch knows from one look to the next: rows of pgteal.schema_baseline on green,
// a definition and the table's name.
//   "each [container…]"  that there is a record, and the containers that are known; without a name.
//                        "oids […]": of an older pgteal, which kept neither partitions nor tables
//                        that came with a container
//   <way>                its table is complete
//   "behind <way>"       its table is not
//   "green <the record's table> <blue's table> <green's table>"
//                        by oids, what holds the rows of a table (applier/renamed_table.h)
//   ""                   the table of that name is complete: of a still older pgteal

// Definition, which is unique, and for who reads it the table's name.
using RecordRows = std::map<std::string, std::string>;

struct CompleteRecord {
  bool exists = false;
  bool has_each = false;
  bool has_oids = false;
  std::string containers;
  RecordRows rows;
  std::set<std::string> names;     // complete, without oids
  std::set<std::string> complete;  // ways
  std::set<std::string> behind;    // ways
  std::set<Oid> tables_complete;
  std::set<Oid> tables_behind;
  Oid own_table;                // green's, which holds the record
  std::map<Oid, Oid> on_green;  // what holds the rows of a table of blue
};

// `kind`: kCompleteTable, or kPreparedTable on blue.
CompleteRecord ReadRecord(pg::Connection& green, const std::string& deployment,
                          const std::string& kind = kCompleteTable);
void ReplaceRecord(pg::Connection& green, const std::string& deployment, const RecordRows& before,
                   const RecordRows& after, const std::string& kind = kCompleteTable);

// The rows of a record that is written now.
void AddMark(const Membership& membership, RecordRows* rows);
void AddWays(const MemberTable& table, bool is_behind, RecordRows* rows);
void AddOnGreen(const CompleteRecord& record, const TableKey& key, const Oid& blue,
                const Oid& green, RecordRows* rows);
// As such a row has it.
std::string NameOf(const TableKey& key);
bool IsOnGreen(const std::string& definition);
// Blue's table that such a row speaks of.
Oid TableOf(const std::string& definition);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_COMPLETE_RECORD_H_
