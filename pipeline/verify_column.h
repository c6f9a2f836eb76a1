#ifndef PGTEAL_PIPELINE_VERIFY_COLUMN_H_
#define PGTEAL_PIPELINE_VERIFY_COLUMN_H_

#include <cstdint>
#include <string>

#include "applier/side_names.h"
#include "pipeline/verify_catalog.h"

namespace pgteal::pipeline {

// The side that sends and the one that receives; after a switchover green sends.
enum class Side : uint8_t { kBlue, kGreen };

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

// A column that is compared. Pure.
struct VerifyColumn {
  std::string name = {};  // unquoted
  ColumnText text = ColumnText::kRecord;
  KeyHash hash = KeyHash::kRecord;
  bool is_generated = false;  // on both sides: compared, never written
  // Green's type is wider and prints the same value otherwise: blue's value is cast to it. Or
  // empty.
  std::string blue_cast = {};
  // float4 that has become float8: equal is what has the same float4, since how it got there (as
  // text or as a number) decides on the other digits.
  bool is_single = false;

  // An expression for the value, on one side.
  std::string Sql(Side side) const;
};

// Decides all of it from the types on both sides.
VerifyColumn MatchColumn(const CatalogColumn& blue, const CatalogColumn& green);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_COLUMN_H_
