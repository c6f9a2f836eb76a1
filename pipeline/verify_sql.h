#ifndef PGTEAL_PIPELINE_VERIFY_SQL_H_
#define PGTEAL_PIPELINE_VERIFY_SQL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/verify_plan.h"

namespace pgteal::pipeline {

// The hash of a text that both servers compute alike.
enum class TextHash : uint8_t {
  kNative,  // hashtextextended(): of the bytes in the server's encoding and byte order
  kMd5,     // slower; of the bytes in UTF-8
};

// Pages [begin, end) of a unit; no end: to the end of the table.
struct PageRange {
  uint64_t begin = 0;
  std::optional<uint64_t> end;
};

// SQL over one unit of a table. A row counts by the 64-bit hash of its text, the text of a value
// being what its type's output function makes under pinned settings. Buckets are chosen by the key,
// so that both versions of a changed row are in the same one; without a key by the row.
class VerifySql {
 public:
  // `buckets`: a power of two.
  VerifySql(const VerifyTable& table, Side side, TextHash hash, uint32_t buckets);

  // 0, rows, sum of their hashes. What tables that are alike cost.
  std::string Total(const VerifyUnit& unit, const std::optional<PageRange>& pages) const;
  // bucket, rows in it, sum of their hashes; for the buckets that are not empty.
  std::string Buckets(const VerifyUnit& unit, const std::optional<PageRange>& pages) const;
  // hash, tableoid, filenode, ctid, xmin, hash of each column as an array, key columns …; of the
  // rows in `buckets`.
  std::string Rows(const VerifyUnit& unit, const std::optional<PageRange>& pages,
                   const std::vector<uint32_t>& buckets) const;
  static constexpr int kFirstKeyColumn = 6;

  uint32_t bucket_count() const { return mask_ + 1; }

 private:
  std::string From(const VerifyUnit& unit, const std::optional<PageRange>& pages) const;

  const VerifyTable& table_;
  const Side side_;
  const uint32_t mask_;
  std::string row_hash_;
  std::string bucket_hash_;
  std::string column_hashes_;
};

// Locks a unit against rewriting for the rest of the (sub)transaction; its second statement yields
// one row, true while the snapshot still shows all of it.
std::string LockUnitSql(const VerifyUnit& unit);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_SQL_H_
