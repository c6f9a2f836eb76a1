#include "pipeline/frame_writer.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <utility>

#include "pg/check.h"
#include "pg/error.h"

namespace pgteal::pipeline {

std::string EncodeFilePrefix(const proto::FrameFileHeader& header) {
  const std::string content = header.SerializeAsString();
  if (content.size() > kFileHeaderBytesMax) {
    throw pg::ConfigError(
        fmt::format("a frame file's header has {} bytes, more than the {} allowed", content.size(),
                    kFileHeaderBytesMax));
  }
  std::string checked;
  PutFixed(&checked, kFormatVersion);
  PutFixed(&checked, static_cast<uint32_t>(content.size()));
  const std::string sizes = checked;
  checked += content;

  std::string out(kFileMagic);
  out += sizes;
  PutFixed(&out, uint64_t{XXH3_64bits(checked.data(), checked.size())});
  return out += content;
}

FrameWriter::FrameWriter(std::string path, const proto::FrameFileHeader& header,
                         FrameWriterOptions options)
    : options_(options),
      file_(FrameFile::Create(std::move(path), EncodeFilePrefix(header))),
      compressor_(options.zstd_level),
      index_(kIndexMagic) {}

FrameWriter::~FrameWriter() {
  if (state_ != State::kOpen) return;
  try {
    WriteBlock();
  } catch (const std::exception&) {
    // Whoever gave up the writer without Finish() has a reason that outweighs this one.
    return;
  }
}

void FrameWriter::Append(pg::Lsn lsn, pg::Timestamp receive_time, std::string_view message) {
  PGTEAL_CHECK(state_ == State::kOpen, "append to a frame file that is finished or failed");
  if (block_.IsFullFor(message, options_.block_bytes)) WriteBlock();
  block_.Append(lsn, receive_time, message);
  ++message_count_;
  if (block_.payload().size() >= options_.block_bytes) WriteBlock();
}

void FrameWriter::Flush(Sync sync) {
  PGTEAL_CHECK(state_ == State::kOpen, "flush of a frame file that is finished or failed");
  WriteBlock();
  if (sync == Sync::kNo) return;
  state_ = State::kFailed;
  file_.Sync();
  state_ = State::kOpen;
}

void FrameWriter::Finish(pg::Lsn end_lsn) {
  Flush(Sync::kNo);
  WriteOrFail(index_ + EncodeFooter(index_, end_lsn));
  state_ = State::kFinished;
  file_.Sync();
}

void FrameWriter::WriteBlock() {
  if (block_.empty()) return;
  const uint64_t offset = file_.size_bytes();
  WriteOrFail(compressor_.Compress(block_));
  PutFixed(&index_, offset);
  PutFixed(&index_, block_.header().lowest_lsn.value);
  PutFixed(&index_, block_.header().highest_lsn.value);
  PutFixed(&index_, uint64_t{block_.header().message_count});
  block_.Clear();
}

void FrameWriter::WriteOrFail(std::string_view bytes) {
  state_ = State::kFailed;
  file_.Append(bytes);
  state_ = State::kOpen;
}

std::string FrameWriter::EncodeFooter(std::string_view index, pg::Lsn end_lsn) const {
  std::string out;
  PutFixed(&out, file_.size_bytes());
  PutFixed(&out, uint64_t{(index.size() - kIndexMagic.size()) / kIndexEntryBytes});
  PutFixed(&out, end_lsn.value);
  PutFixed(&out, uint64_t{XXH3_64bits(index.data(), index.size())});
  PutFixed(&out, uint64_t{XXH3_64bits(out.data(), out.size())});
  return out.append(kFooterMagic);
}

}  // namespace pgteal::pipeline
