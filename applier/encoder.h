#ifndef PGTEAL_APPLIER_ENCODER_H_
#define PGTEAL_APPLIER_ENCODER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "decoder/tuple.h"
#include "pg/ids.h"

namespace pgteal::applier {

// A one-dimensional array in the binary form that array_recv reads (PostgreSQL source,
// src/backend/utils/adt/arrayfuncs.c): int32 dimensions, int32 has-null flag, Oid element type,
// int32 length, int32 lower bound, then per element int32 length (-1 for NULL) and the bytes.
class ArrayEncoder {
 public:
  explicit ArrayEncoder(pg::Oid element_type) : element_type_(element_type) {}
  void Start(size_t count);
  void Add(const decoder::ColumnValue& value);
  // Valid until the next Start.
  std::string_view Finish();

 private:
  pg::Oid element_type_;
  std::string bytes_;
  bool has_null_ = false;
};

// Rows for COPY … FROM STDIN, appended to a buffer that the caller drains.
// Text: PostgreSQL docs, COPY, "Text Format". Binary: "Binary Format".
void AppendCopyTextValue(const decoder::ColumnValue& value, std::string* out);
void AppendCopyBinaryHeader(std::string* out);
void AppendCopyBinaryRowStart(uint16_t columns, std::string* out);
void AppendCopyBinaryValue(const decoder::ColumnValue& value, std::string* out);
void AppendCopyBinaryTrailer(std::string* out);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_ENCODER_H_
