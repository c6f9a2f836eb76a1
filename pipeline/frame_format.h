#ifndef PGTEAL_PIPELINE_FRAME_FORMAT_H_
#define PGTEAL_PIPELINE_FRAME_FORMAT_H_

// The layout of a frame file: raw pgoutput messages on disk, for captures and for the spool.
// Integers are little-endian and unsigned, checksums are XXH3-64.
//
//   file         := prefix block* [index footer]
//   prefix       := "PGTEALFR"
//                   version:u32            1
//                   header_bytes:u32
//                   checksum:u64           of version, header_bytes and header
//                   header                 FrameFileHeader of proto/frame.proto
//   block        := block_header compressed
//   block_header := "BLOK"
//                   message_count:u32      at least 1
//                   compressed_bytes:u32
//                   payload_bytes:u32      before compression
//                   lowest_lsn:u64 highest_lsn:u64
//                   first_time:u64 last_time:u64   receive times, microseconds since 2000-01-01
//                   checksum:u64           of `compressed`
//                   checksum:u64           of the fields above
//   compressed   := one zstd frame of payload
//   payload      := message*
//   message      := lsn_delta:zigzag time_delta:zigzag length:varint bytes
//   index        := "XEDN" entry*          one for each block, in file order
//   entry        := offset:u64 lowest_lsn:u64 highest_lsn:u64 message_count:u64
//   footer       := index_offset:u64 block_count:u64 end_lsn:u64
//                   checksum:u64           of index
//                   checksum:u64           of the fields above
//                   "PGTEALFE"
//
// Deltas begin at zero in each block, so that a block can be read alone. The header has a checksum
// of its own because its sizes must be trusted to tell a block cut short by a crash (the end of
// what is there) from a damaged one (an error). A crash leaves a file without footer: its content
// ends after the last whole block.
//
// A message of no bytes is no message of blue but a position mark: everything that blue committed
// before its LSN is in the file. A capture writes one before it lets blue forget anything, so that
// a file without footer tells how far its slot may have been moved.
//
// Messages are in the order of the stream, which is that of commits; their LSNs are those of single
// changes and not ordered. Hence a block knows its lowest and highest LSN, not its first and last.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "pg/lsn.h"
#include "pg/timestamp.h"

namespace pgteal::pipeline {

inline constexpr std::string_view kFileMagic = "PGTEALFR";
inline constexpr std::string_view kFooterMagic = "PGTEALFE";
// No byte in common, so that no single damaged byte makes one of the other.
inline constexpr std::string_view kBlockMagic = "BLOK";
inline constexpr std::string_view kIndexMagic = "XEDN";
inline constexpr uint32_t kFormatVersion = 1;

inline constexpr size_t kPrefixFixedBytes = 24;
inline constexpr size_t kBlockHeaderBytes = 64;
inline constexpr size_t kIndexEntryBytes = 32;
inline constexpr size_t kFooterBytes = 48;

// A server's message is shorter than 1 GiB (MaxAllocSize), so a longer one means damage.
inline constexpr size_t kMessageBytesMax = size_t{1} << 30;
// Three varints stand in front of each message.
inline constexpr size_t kMessageOverheadBytesMax = 30;
inline constexpr size_t kPayloadBytesMax = kMessageBytesMax + kMessageOverheadBytesMax;
inline constexpr size_t kFileHeaderBytesMax = size_t{1} << 20;
// Large enough for zstd to find what repeats, small enough to keep many logs open. 64 KiB is
// neither faster nor denser (bench/micro/spool_bench.cc).
inline constexpr size_t kBlockBytesDefault = size_t{256} << 10;

inline constexpr std::string_view kPositionMark = "";

// One message and when and where it came. `message` points into the block it was read from.
struct Frame {
  pg::Lsn lsn;
  pg::Timestamp receive_time;
  std::string_view message;
};

template <typename Unsigned>
void PutFixed(std::string* out, Unsigned value) {
  char bytes[sizeof(Unsigned)];
  for (size_t i = 0; i < sizeof(Unsigned); ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  out->append(bytes, sizeof(Unsigned));
}

// Takes an integer off the front of `*in`, which holds enough: callers check sizes beforehand.
template <typename Unsigned>
Unsigned TakeFixed(std::string_view* in) {
  Unsigned value = 0;
  for (size_t i = 0; i < sizeof(Unsigned); ++i) {
    value |= static_cast<Unsigned>(static_cast<unsigned char>((*in)[i])) << (8 * i);
  }
  in->remove_prefix(sizeof(Unsigned));
  return value;
}

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FRAME_FORMAT_H_
