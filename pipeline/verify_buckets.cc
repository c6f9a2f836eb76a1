#include "pipeline/verify_buckets.h"

#include <algorithm>
#include <bit>
#include <string>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

constexpr uint64_t kRowsPerBucket = 256;
constexpr uint32_t kBucketsMin = 16;
constexpr uint32_t kBucketsMax = 4096;

}  // namespace

uint64_t ParseModulo(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  const std::string_view digits = text.substr(is_negative ? 1 : 0);
  uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') throw pg::ProtocolError("a sum of hashes is not a whole number");
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (digits.empty()) throw pg::ProtocolError("a sum of hashes is missing");
  return is_negative ? ~value + 1 : value;
}

void BucketSums::Add(const pg::Result& result) {
  for (int row = 0; row < result.rows(); ++row) {
    Add(static_cast<uint32_t>(result.Int(row, 0)),
        {.rows = static_cast<uint64_t>(result.Int(row, 1)),
         .hashes = ParseModulo(result.Text(row, 2))});
  }
}

void BucketSums::Add(uint32_t bucket, const RowSum& sum) {
  if (bucket >= sums_.size()) throw pg::ProtocolError("there is no bucket of this number");
  sums_[bucket].rows += sum.rows;
  sums_[bucket].hashes += sum.hashes;
  rows_ += sum.rows;
}

DifferentBuckets FindDifferent(const BucketSums& blue, const BucketSums& green, uint64_t rows_max) {
  DifferentBuckets different;
  uint64_t rows = 0;
  for (uint32_t bucket = 0; bucket < blue.count(); ++bucket) {
    if (blue.at(bucket) == green.at(bucket)) continue;
    rows += blue.at(bucket).rows + green.at(bucket).rows;
    if (!different.buckets.empty() && rows > rows_max) {
      different.is_complete = false;
      break;
    }
    different.buckets.push_back(bucket);
  }
  return different;
}

uint32_t BucketCountFor(uint64_t rows) {
  const uint64_t wanted = std::min<uint64_t>(rows / kRowsPerBucket, kBucketsMax);
  return std::max(kBucketsMin, std::bit_floor(static_cast<uint32_t>(wanted)));
}

}  // namespace pgteal::pipeline
