#ifndef PGTEAL_PIPELINE_VERIFY_ROWS_H_
#define PGTEAL_PIPELINE_VERIFY_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/result.h"
#include "pipeline/verify_plan.h"

namespace pgteal::pipeline {

// Where a version of a row is on its server. While the place shows it to a snapshot, nobody has
// changed it.
struct RowPlace {
  std::string table_oid;  // of the leaf, of a partitioned table
  std::string filenode;   // VACUUM FULL and CLUSTER write another file, and move rows in it
  std::string ctid;
  std::string xmin;
};

// The texts of a row's key. NULL is only in rows of green, where it lacks blue's key.
using RowKey = std::vector<std::optional<std::string>>;

// A row as VerifySql::Rows() shows it. Values other than the key's are known by their hashes only.
struct VerifyRow {
  RowKey key;
  uint64_t hash = 0;
  std::vector<uint64_t> column_hashes;
  RowPlace place;
};

enum class DifferenceKind : uint8_t {
  kMissing,    // blue has it, green has not
  kExtra,      // green has it, blue has not
  kDifferent,  // both have it, with other values
};

struct RowDifference {
  DifferenceKind kind = DifferenceKind::kDifferent;
  RowKey key;                        // empty: the table has none
  std::vector<std::string> columns;  // those that differ
  std::optional<RowPlace> blue;
  std::optional<RowPlace> green;
};

// Appends the rows of one result.
void ReadRows(const pg::Result& result, const VerifyTable& table, std::vector<VerifyRow>* rows);

// What distinguishes two bags of rows, in the order of their keys. Rows that are equal on both
// sides cancel each other one by one; with a key, what is left is matched by it. Pure.
std::vector<RowDifference> CompareRows(const VerifyTable& table, std::vector<VerifyRow> blue,
                                       std::vector<VerifyRow> green);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_ROWS_H_
