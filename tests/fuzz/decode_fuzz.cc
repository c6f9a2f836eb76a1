#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/feed_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pgteal::tests::FeedStream({reinterpret_cast<const char*>(data), size});
  return 0;
}
