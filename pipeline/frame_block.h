#ifndef PGTEAL_PIPELINE_FRAME_BLOCK_H_
#define PGTEAL_PIPELINE_FRAME_BLOCK_H_

#include <zstd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pg/lsn.h"
#include "pg/timestamp.h"
#include "pipeline/frame_format.h"

// One block of a frame file in memory: collecting, compressing, checking, reading. No file access;
// what is wrong with a block is thrown as ProtocolError and whoever knows the file adds its name.
// Each object belongs to one thread at a time.

namespace pgteal::pipeline {

struct BlockHeader {
  uint32_t message_count = 0;
  uint32_t compressed_bytes = 0;
  uint32_t payload_bytes = 0;
  pg::Lsn lowest_lsn;
  pg::Lsn highest_lsn;
  pg::Timestamp first_time;
  pg::Timestamp last_time;
  uint64_t compressed_checksum = 0;

  // Throws ProtocolError unless `bytes` (kBlockHeaderBytes of them) are a sound header.
  static BlockHeader Parse(std::string_view bytes);
  std::string Encode() const;
};

// Collects messages into a payload.
class BlockBuilder {
 public:
  // Throws ProtocolError when the message is longer than any server sends.
  void Append(pg::Lsn lsn, pg::Timestamp receive_time, std::string_view message);
  // Ready for the next block. Keeps a buffer of usual size.
  void Clear();
  // Gives back what the payload does not use.
  void ShrinkToFit() { payload_.shrink_to_fit(); }

  bool empty() const { return header_.message_count == 0; }
  // True when one more message should open another block: a block has at most `block_bytes` unless
  // it consists of a single larger message.
  bool IsFullFor(std::string_view message, size_t block_bytes) const {
    return !empty() && payload_.size() + message.size() + kMessageOverheadBytesMax > block_bytes;
  }
  std::string_view payload() const { return payload_; }
  // Without the sizes and checksums, which compression finds.
  const BlockHeader& header() const { return header_; }
  size_t memory_bytes() const { return payload_.capacity(); }

 private:
  std::string payload_;
  BlockHeader header_;
  uint64_t last_lsn_ = 0;
};

// Turns payloads into blocks. Owns the zstd context, which is larger than a block: one is shared by
// everything that a thread writes.
class BlockCompressor {
 public:
  explicit BlockCompressor(int zstd_level);

  // Header and compressed bytes, ready to be written; valid until the next call.
  std::string_view Compress(const BlockBuilder& block);

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };

  std::unique_ptr<ZSTD_CCtx, Free> context_;
  std::string out_;
};

// Turns the compressed bytes of a block back into its payload.
class BlockDecompressor {
 public:
  BlockDecompressor();

  // Checks `compressed` against the header. The view is valid until the next call.
  std::string_view Decompress(const BlockHeader& header, std::string_view compressed);

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  std::unique_ptr<ZSTD_DCtx, Free> context_;
  std::string payload_;
};

// Walks over the messages of a payload, which it borrows.
class BlockCursor {
 public:
  BlockCursor() = default;
  BlockCursor(std::string_view payload, uint32_t message_count)
      : rest_(payload), messages_left_(message_count) {}

  // False after the last message. Throws ProtocolError when the payload does not hold exactly what
  // it should.
  [[nodiscard]] bool Next(Frame* frame);

 private:
  std::string_view rest_;
  uint32_t messages_left_ = 0;
  uint64_t lsn_ = 0;
  uint64_t time_ = 0;
};

// Makes `*buffer` hold at least `bytes`, and gives memory back after an unusually large block.
void FitBuffer(std::string* buffer, size_t bytes);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FRAME_BLOCK_H_
