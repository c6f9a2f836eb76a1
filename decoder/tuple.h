#ifndef PGTEAL_DECODER_TUPLE_H_
#define PGTEAL_DECODER_TUPLE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pgteal::decoder {

// The byte in front of each column, PostgreSQL docs "Logical Replication Message Formats",
// TupleData.
enum class ValueKind : char {
  kNull = 'n',
  kUnchangedToast = 'u',  // the value is on blue, unchanged, and was not sent
  kText = 't',
  kBinary = 'b',
};

// A view into the arena of the ChangeBlock that holds it; never outlives that.
struct ColumnValue {
  const char* data = nullptr;
  uint32_t size = 0;
  ValueKind kind = ValueKind::kNull;

  std::string_view bytes() const { return {data, size}; }
  bool is_null() const { return kind == ValueKind::kNull; }
  bool is_unchanged() const { return kind == ValueKind::kUnchangedToast; }
};

// One value for each column of the relation version it was sent under; the decoder has checked
// that the counts agree. Empty when there is no such tuple.
struct Tuple {
  const ColumnValue* values = nullptr;
  uint32_t count = 0;

  const ColumnValue& operator[](size_t column) const { return values[column]; }
  bool empty() const { return values == nullptr; }
  const ColumnValue* begin() const { return values; }
  const ColumnValue* end() const { return values + count; }
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_TUPLE_H_
