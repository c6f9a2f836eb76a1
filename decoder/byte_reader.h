#ifndef PGTEAL_DECODER_BYTE_READER_H_
#define PGTEAL_DECODER_BYTE_READER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "pg/ids.h"
#include "pg/lsn.h"
#include "pg/timestamp.h"

namespace pgteal::decoder {

// A cursor over bytes in network order: the only code that touches the bytes of a message. Every
// read is checked, in release builds too, and throws ProtocolError when the bytes do not suffice.
// Borrows the bytes; what it returns are views into them.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  uint8_t U8() { return Take<uint8_t>(); }
  uint16_t U16() { return Take<uint16_t>(); }
  uint32_t U32() { return Take<uint32_t>(); }
  uint64_t U64() { return Take<uint64_t>(); }

  pg::Oid ReadOid() { return {U32()}; }
  pg::Xid ReadXid() { return {U32()}; }
  pg::Lsn ReadLsn() { return {U64()}; }
  pg::Timestamp ReadTimestamp() { return {static_cast<int64_t>(U64())}; }

  std::string_view Bytes(size_t count) {
    if (count > left()) [[unlikely]]
      ThrowShort(count);
    const std::string_view bytes(next_, count);
    next_ += count;
    return bytes;
  }

  // Up to, and without, a NUL byte, which must be there.
  std::string_view CString();

  size_t left() const { return static_cast<size_t>(end_ - next_); }
  // Throws when there are bytes that no field accounts for.
  void ExpectEnd() const {
    if (next_ != end_) [[unlikely]]
      ThrowTrailing();
  }

 private:
  static uint8_t FromNetwork(uint8_t value) { return value; }
  static uint16_t FromNetwork(uint16_t value) { return kSwap ? __builtin_bswap16(value) : value; }
  static uint32_t FromNetwork(uint32_t value) { return kSwap ? __builtin_bswap32(value) : value; }
  static uint64_t FromNetwork(uint64_t value) { return kSwap ? __builtin_bswap64(value) : value; }

  template <typename T>
  T Take() {
    if (sizeof(T) > left()) [[unlikely]]
      ThrowShort(sizeof(T));
    T value;
    std::memcpy(&value, next_, sizeof(T));
    next_ += sizeof(T);
    return FromNetwork(value);
  }

  [[noreturn]] [[gnu::cold]] void ThrowShort(size_t wanted) const;
  [[noreturn]] [[gnu::cold]] void ThrowTrailing() const;

  static constexpr bool kSwap = std::endian::native == std::endian::little;

  const char* next_;
  const char* end_;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_BYTE_READER_H_
