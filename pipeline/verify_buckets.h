#ifndef PGTEAL_PIPELINE_VERIFY_BUCKETS_H_
#define PGTEAL_PIPELINE_VERIFY_BUCKETS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "pg/result.h"

namespace pgteal::pipeline {

// What a set of rows comes to, whatever their order: how many, and the sum of their hashes.
struct RowSum {
  uint64_t rows = 0;
  uint64_t hashes = 0;  // modulo 2^64
  bool operator==(const RowSum&) const = default;
};

// A decimal number of any length and sign, modulo 2^64. Throws ProtocolError.
uint64_t ParseModulo(std::string_view text);

// One side of a table, bucket by bucket; parts of it are added up. Not thread-safe.
class BucketSums {
 public:
  explicit BucketSums(uint32_t count) : sums_(count) {}

  // A result of VerifySql::Buckets(), or of Total() when there is one bucket.
  void Add(const pg::Result& result);
  void Add(uint32_t bucket, const RowSum& sum);
  uint64_t rows() const { return rows_; }
  const RowSum& at(uint32_t bucket) const { return sums_[bucket]; }
  uint32_t count() const { return static_cast<uint32_t>(sums_.size()); }

 private:
  std::vector<RowSum> sums_;
  uint64_t rows_ = 0;
};

// The buckets in which the sides are not alike; as many as hold `rows_max` rows together, at least
// one.
struct DifferentBuckets {
  std::vector<uint32_t> buckets;
  bool is_complete = true;  // false: there are more
};
DifferentBuckets FindDifferent(const BucketSums& blue, const BucketSums& green, uint64_t rows_max);

// A power of two, so that a bucket of a table with so many rows holds some hundred of them.
uint32_t BucketCountFor(uint64_t rows);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_BUCKETS_H_
