#ifndef PGTEAL_PIPELINE_FRAME_WRITER_H_
#define PGTEAL_PIPELINE_FRAME_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "pg/lsn.h"
#include "pg/timestamp.h"
#include "pipeline/frame_block.h"
#include "pipeline/frame_file.h"
#include "pipeline/frame_format.h"
#include "proto/frame.pb.h"

namespace pgteal::pipeline {

struct FrameWriterOptions {
  // Payload bytes at which a block is closed; a longer message has a block of its own.
  size_t block_bytes = kBlockBytesDefault;
  int zstd_level = 1;
};

// What stands in front of the first block.
std::string EncodeFilePrefix(const proto::FrameFileHeader& header);

// Writes one frame file. Owns it; one thread. After an error nothing more can be written, and the
// file is readable up to its last whole block.
class FrameWriter {
 public:
  enum class Sync { kNo, kYes };

  // Creates the file, which must not exist. Throws ConfigError.
  FrameWriter(std::string path, const proto::FrameFileHeader& header,
              FrameWriterOptions options = {});
  // Without Finish() the file lacks index and footer but keeps, where the disk allows, every
  // message.
  ~FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  // Throws Error when a block cannot be written.
  void Append(pg::Lsn lsn, pg::Timestamp receive_time, std::string_view message);
  // Closes the block, if there is one: what has been appended survives our end and, with kYes, that
  // of the machine.
  void Flush(Sync sync);
  // Flushes, writes index and footer, and syncs. `end_lsn`: everything that blue committed before
  // it and after the header's start_lsn is in the file. Nothing may be appended afterwards.
  void Finish(pg::Lsn end_lsn);

  // An error of Append(), Flush() or Finish() was one of writing.
  bool has_failed() const { return state_ == State::kFailed; }
  uint64_t message_count() const { return message_count_; }
  // On disk, without the open block.
  uint64_t file_bytes() const { return file_.size_bytes(); }

 private:
  enum class State { kOpen, kFailed, kFinished };

  void WriteBlock();
  void WriteOrFail(std::string_view bytes);
  std::string EncodeFooter(std::string_view index, pg::Lsn end_lsn) const;

  const FrameWriterOptions options_;
  FrameFile file_;
  BlockBuilder block_;
  BlockCompressor compressor_;
  // Encoded entries; 32 bytes for each block.
  std::string index_;
  uint64_t message_count_ = 0;
  State state_ = State::kOpen;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FRAME_WRITER_H_
