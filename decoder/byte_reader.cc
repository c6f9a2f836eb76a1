#include "decoder/byte_reader.h"

#include <fmt/format.h>

#include "pg/error.h"

namespace pgteal::decoder {

std::string_view ByteReader::CString() {
  const void* nul = left() == 0 ? nullptr : std::memchr(next_, '\0', left());
  if (nul == nullptr) throw pg::ProtocolError("message ends inside a string");
  const std::string_view text(next_, static_cast<size_t>(static_cast<const char*>(nul) - next_));
  next_ += text.size() + 1;
  return text;
}

void ByteReader::ThrowShort(size_t wanted) const {
  throw pg::ProtocolError(
      fmt::format("message is cut short: {} bytes wanted, {} left", wanted, left()));
}

void ByteReader::ThrowTrailing() const {
  throw pg::ProtocolError(fmt::format("message has {} bytes after its last field", left()));
}

}  // namespace pgteal::decoder
