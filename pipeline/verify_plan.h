#ifndef PGTEAL_PIPELINE_VERIFY_PLAN_H_
#define PGTEAL_PIPELINE_VERIFY_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "pipeline/table_filter.h"

namespace pgteal::pipeline {

// How the text of a column's value enters the text of its row, so that rows of different values
// never give one text. The same on both sides, whatever the types there.
enum class ColumnText : uint8_t {
  kPlain,     // never empty, and never holds the separator: a NULL is the empty text
  kMeasured,  // any text: its length goes before it
  kTrimmed,   // char(n) of different lengths: padding means nothing
  kRecord,    // as a record of one field, whose syntax tells NULL, '' and everything else apart
};

// How a key column is hashed to spread the rows over buckets; equal texts give equal hashes.
enum class KeyHash : uint8_t { kInteger, kText, kUuid, kRecord };

struct VerifyColumn {
  std::string name;  // unquoted
  ColumnText text = ColumnText::kRecord;
  KeyHash hash = KeyHash::kRecord;
  bool is_generated = false;  // on both sides: compared, never written
};

// What holds rows of a table on one side: the table itself, or a leaf of a partitioned one.
struct VerifyUnit {
  std::string qualified;  // quoted
  bool is_plain = true;   // false: a partitioned table read as a whole
  uint64_t pages = 0;
  uint64_t bytes = 0;  // TOAST included
  // Oid and filenode of every table in it, as the snapshot has them: others mean that it has been
  // rewritten or emptied since, and shows nothing of the snapshot.
  std::vector<std::pair<uint32_t, uint32_t>> filenodes;
};

// The side that sends and the one that receives; after a switchover green sends.
enum class Side : uint8_t { kBlue, kGreen };
struct SideNames {
  std::string blue = "blue";
  std::string green = "green";
};

// A published table and its counterpart, matched by name.
struct VerifyTable {
  std::string schema;
  std::string name;
  std::vector<VerifyColumn> columns;  // compared; blue's order
  std::vector<size_t> key;            // indexes into columns; empty: rows are a bag
  std::string row_filter;             // of the publication, as SQL; or empty
  std::vector<VerifyUnit> units[2];   // by Side
  bool is_partitioned[2] = {false, false};
  // Why rows cannot be compared: the table or a column is missing on green. Or empty.
  std::string fault;
  // What else is not alike (types, defaults, generated columns, columns that green alone has).
  std::vector<std::string> notes;

  std::string display_name() const { return schema + "." + name; }
  const std::vector<VerifyUnit>& side(Side side) const { return units[static_cast<size_t>(side)]; }
  // Keeps the children of an inheritance parent out.
  const char* only(Side side) const {
    return is_partitioned[static_cast<size_t>(side)] ? "" : "ONLY ";
  }
  uint64_t bytes() const;
};

// The tables that the publication sends, as the two sessions' snapshots show them.
std::vector<VerifyTable> PlanVerify(pg::Connection& blue, pg::Connection& green,
                                    const std::string& publication, const TableFilter& filter,
                                    const SideNames& names);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_PLAN_H_
