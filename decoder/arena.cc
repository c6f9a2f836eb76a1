#include "decoder/arena.h"

#include <algorithm>
#include <cstring>

namespace pgteal::decoder {

std::string_view Arena::Copy(std::string_view bytes) {
  char* copy = Allocate(bytes.size());
  std::memcpy(copy, bytes.data(), bytes.size());
  return {copy, bytes.size()};
}

void Arena::AddChunk(size_t bytes_min) {
  const size_t wanted = std::clamp(capacity_bytes_, kFirstChunkBytes, kChunkBytesMax);
  const size_t bytes = std::max(wanted, bytes_min);
  chunks_.emplace_back(new char[bytes]);  // not make_unique: that would zero what is overwritten
  next_ = chunks_.back().get();
  left_ = bytes;
  capacity_bytes_ += bytes;
}

}  // namespace pgteal::decoder
