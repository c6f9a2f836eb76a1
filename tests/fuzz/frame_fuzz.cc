#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pg/error.h"
#include "pipeline/frame_reader.h"
#include "pipeline/frame_writer.h"

// FrameReader on arbitrary bytes: nothing but ProtocolError may come out. Checksums would keep a
// fuzzer outside for ever, so the first byte says how much of the file is made sound for it:
//   'F'  the rest is the whole file
//   'C'  the rest, after 12 bytes for message count and sizes, is the content of a block
//   'P'  the rest, after 4 bytes for the message count, is the payload of a block

namespace pgteal::pipeline {
namespace {

// Allocations a hostile header may ask for are tested elsewhere; here they would only cost time.
constexpr size_t kClaimedBytesMax = size_t{1} << 20;

std::string BlockAround(BlockHeader header, std::string_view compressed) {
  header.compressed_bytes = static_cast<uint32_t>(compressed.size());
  header.compressed_checksum = XXH3_64bits(compressed.data(), compressed.size());
  return header.Encode().append(compressed);
}

std::string BlockOfContent(std::string_view in) {
  BlockHeader header;
  header.message_count = TakeFixed<uint32_t>(&in);
  header.payload_bytes = TakeFixed<uint32_t>(&in) % kClaimedBytesMax;
  header.highest_lsn.value = TakeFixed<uint32_t>(&in);
  return BlockAround(header, in);
}

std::string BlockOfPayload(std::string_view in) {
  BlockHeader header;
  header.message_count = TakeFixed<uint32_t>(&in);
  header.payload_bytes = static_cast<uint32_t>(in.size());
  std::string compressed(ZSTD_compressBound(in.size()), '\0');
  compressed.resize(ZSTD_compress(compressed.data(), compressed.size(), in.data(), in.size(), 1));
  return BlockAround(header, compressed);
}

std::string FileOf(std::string_view in) {
  if (in.empty()) return "";
  const char kind = in.front();
  in.remove_prefix(1);
  if (kind == 'C' && in.size() >= 12) return EncodeFilePrefix({}) + BlockOfContent(in);
  if (kind == 'P' && in.size() >= 4) return EncodeFilePrefix({}) + BlockOfPayload(in);
  return std::string(in);
}

void ReadToEnd(FrameReader* reader) {
  Frame frame;
  size_t bytes = 0;
  while (reader->Next(&frame)) {
    for (const char byte : frame.message) bytes += static_cast<unsigned char>(byte);
  }
  // The sum makes the views be read, so that a sanitizer sees one that points outside.
  if (bytes == SIZE_MAX) std::abort();
}

template <typename Function>
void ExpectProtocolErrorAtMost(Function function) {
  try {
    function();
  } catch (const pg::ProtocolError&) {
  }
}

void ReadFile(const std::string& path) {
  ExpectProtocolErrorAtMost([&path] {
    FrameReader reader(path);
    ExpectProtocolErrorAtMost([&reader] { ReadToEnd(&reader); });
    ExpectProtocolErrorAtMost([&reader] { reader.SeekTo({1}); });
    ExpectProtocolErrorAtMost([&reader] { ReadToEnd(&reader); });
  });
}

}  // namespace
}  // namespace pgteal::pipeline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string file = pgteal::pipeline::FileOf({reinterpret_cast<const char*>(data), size});
  const int descriptor = ::memfd_create("frame_fuzz", MFD_CLOEXEC);
  if (descriptor < 0) std::abort();
  if (::write(descriptor, file.data(), file.size()) != static_cast<ssize_t>(file.size())) {
    std::abort();
  }
  pgteal::pipeline::ReadFile("/proc/self/fd/" + std::to_string(descriptor));
  ::close(descriptor);
  return 0;
}
