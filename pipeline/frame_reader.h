#ifndef PGTEAL_PIPELINE_FRAME_READER_H_
#define PGTEAL_PIPELINE_FRAME_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/lsn.h"
#include "pipeline/frame_block.h"
#include "pipeline/frame_file.h"
#include "pipeline/frame_format.h"
#include "proto/frame.pb.h"

namespace pgteal::pipeline {

// Reads one frame file from front to back, or from an LSN on. Trusts nothing in it: a foreign or
// damaged file gives ProtocolError with file, block and offset, never a message that was not
// written. A file whose writer died is read up to its last whole block. Memory: one block. One
// thread at a time.
class FrameReader {
 public:
  // Throws ConfigError when the file cannot be opened, ProtocolError when it is no frame file.
  explicit FrameReader(std::string path);

  const proto::FrameFileHeader& header() const { return header_; }
  // False when the writer did not get to Finish(): the end of the file says nothing about the
  // stream.
  bool is_complete() const { return is_complete_; }
  // What Finish() was told; invalid when the file is not complete.
  pg::Lsn end_lsn() const { return end_lsn_; }

  // False at the end. `frame->message` is valid until the next call of any function. An error comes
  // again when called again.
  [[nodiscard]] bool Next(Frame* frame);
  // Goes to the start of the first block that holds an LSN at or above `lsn`: no message with such
  // an LSN is skipped, but a transaction that ends later may have begun earlier. Whoever needs
  // whole transactions reads from the front.
  void SeekTo(pg::Lsn lsn);
  void Rewind() { MoveTo(0, first_block_offset_); }

 private:
  struct IndexEntry {
    uint64_t offset;
    pg::Lsn lowest_lsn;
    pg::Lsn highest_lsn;
    uint64_t message_count;
  };

  void ReadPrefix();
  void ReadFooter();
  void ReadIndex(uint64_t block_count, uint64_t checksum);
  bool NextInBlock(Frame* frame);
  void MoveTo(uint64_t block_number, uint64_t offset);
  // The header of the block at offset_, or nothing where the blocks end.
  std::optional<BlockHeader> PeekBlock();
  std::optional<BlockHeader> ParseBlockHeader(std::string_view bytes, uint64_t left_bytes);
  bool IsTornEnd(std::string_view bytes) const;
  void LoadBlock(const BlockHeader& header);
  void SkipBlock(const BlockHeader& header);
  std::string ReadBytes(uint64_t offset, size_t bytes) const;
  [[noreturn]] void ThrowDamaged(std::string_view what) const;

  // Set in the constructor, then constant.
  FrameFile file_;
  proto::FrameFileHeader header_;
  bool is_complete_ = false;
  pg::Lsn end_lsn_;
  uint64_t first_block_offset_ = 0;
  uint64_t blocks_end_ = 0;
  std::vector<IndexEntry> index_;

  // The block that Next() reads from …
  BlockDecompressor decompressor_;
  std::string compressed_;
  BlockCursor cursor_;
  uint64_t loaded_offset_ = 0;
  // … and number and place of the one after it.
  uint64_t block_number_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FRAME_READER_H_
