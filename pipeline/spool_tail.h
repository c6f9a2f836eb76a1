#ifndef PGTEAL_PIPELINE_SPOOL_TAIL_H_
#define PGTEAL_PIPELINE_SPOOL_TAIL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "decoder/message_log.h"
#include "pipeline/doorbell.h"
#include "pipeline/frame_block.h"
#include "pipeline/frame_file.h"

namespace pgteal::pipeline {

// How far a spool file may be read while it is written. The writer and one reader.
class SpoolMark {
 public:
  enum class Look : uint8_t { kMore, kEnd, kCut };

  // Writer: whole blocks reach to this offset.
  void Reach(uint64_t offset);
  // Writer: nothing follows.
  void End();
  // Any thread.
  void Cut() noexcept;

  // Reader: waits until there is something behind `offset`, or nothing will be.
  Look Await(uint64_t offset);

 private:
  std::atomic<uint64_t> reached_ = 0;
  std::atomic<bool> has_ended_ = false;
  std::atomic<bool> is_cut_ = false;
  Doorbell bell_;
};

// Reads a spool file block by block behind its writer. Cut when its log goes: what nobody will
// commit need not be read.
class SpoolTail final : public decoder::MessageTail {
 public:
  // `first_block`: offset of the first block.
  SpoolTail(const std::string& path, uint64_t first_block, std::shared_ptr<SpoolMark> mark);

  void Rewind() override;
  bool Next(pg::Lsn* lsn, std::string_view* message) override;
  void Cut() noexcept override { mark_->Cut(); }

 private:
  void LoadBlock();

  const std::shared_ptr<SpoolMark> mark_;
  const FrameFile file_;
  const uint64_t first_block_;
  uint64_t offset_;
  std::string compressed_;
  BlockDecompressor decompressor_;
  BlockCursor cursor_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SPOOL_TAIL_H_
