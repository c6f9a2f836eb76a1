#include "pipeline/spool_tail.h"

#include <chrono>
#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {

void SpoolMark::Reach(uint64_t offset) {
  reached_.store(offset, std::memory_order_release);
  bell_.Ring();
}

void SpoolMark::End() {
  has_ended_.store(true, std::memory_order_release);
  bell_.Ring();
}

void SpoolMark::Cut() noexcept {
  is_cut_.store(true, std::memory_order_release);
  bell_.Ring();
}

SpoolMark::Look SpoolMark::Await(uint64_t offset) {
  while (true) {
    // Asked first: what was reached or cut before the end is seen then.
    const bool has_ended = has_ended_.load(std::memory_order_acquire);
    if (is_cut_.load(std::memory_order_acquire)) return Look::kCut;
    if (reached_.load(std::memory_order_acquire) > offset) return Look::kMore;
    if (has_ended) return Look::kEnd;
    bell_.Wait(Clock::now() + std::chrono::seconds(10));
  }
}

SpoolTail::SpoolTail(const std::string& path, uint64_t first_block, std::shared_ptr<SpoolMark> mark)
    : mark_(std::move(mark)),
      file_(FrameFile::Open(path)),
      first_block_(first_block),
      offset_(first_block) {}

void SpoolTail::Rewind() {
  offset_ = first_block_;
  cursor_ = {};
}

bool SpoolTail::Next(pg::Lsn* lsn, std::string_view* message) {
  Frame frame;
  while (!cursor_.Next(&frame)) {
    switch (mark_->Await(offset_)) {
      case SpoolMark::Look::kMore:
        LoadBlock();
        break;
      case SpoolMark::Look::kEnd:
        return false;
      case SpoolMark::Look::kCut:
        throw pg::Interrupted();
    }
  }
  *lsn = frame.lsn;
  *message = frame.message;
  return true;
}

void SpoolTail::LoadBlock() {
  std::string bytes(kBlockHeaderBytes, '\0');
  file_.ReadAt(offset_, bytes.data(), bytes.size());
  const BlockHeader header = BlockHeader::Parse(bytes);
  FitBuffer(&compressed_, header.compressed_bytes);
  file_.ReadAt(offset_ + kBlockHeaderBytes, compressed_.data(), header.compressed_bytes);
  const std::string_view payload = decompressor_.Decompress(
      header, std::string_view(compressed_).substr(0, header.compressed_bytes));
  cursor_ = BlockCursor(payload, header.message_count);
  offset_ += kBlockHeaderBytes + header.compressed_bytes;
}

}  // namespace pgteal::pipeline
