#include "pipeline/frame_reader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kDamagedHint =
    "The file is damaged: copy it again from where it was written, or take a new capture.";

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

FrameReader::FrameReader(std::string path) : file_(FrameFile::Open(std::move(path))) {
  ReadPrefix();
  ReadFooter();
  Rewind();
}

void FrameReader::ReadPrefix() {
  const std::string fixed = ReadBytes(0, std::min<uint64_t>(kPrefixFixedBytes, file_.size_bytes()));
  if (!std::string_view(fixed).starts_with(kFileMagic)) {
    throw pg::ProtocolError(
        fmt::format("{} is not a pgteal frame file{}", file_.path(),
                    fixed.empty() ? ": it is empty" : ": it begins with other bytes"),
        "Give the path of a file that pgteal capture has written.");
  }
  if (fixed.size() < kPrefixFixedBytes) ThrowDamaged("it is cut short in its header");
  std::string_view in = std::string_view(fixed).substr(kFileMagic.size());
  const std::string_view sizes = in.substr(0, 2 * sizeof(uint32_t));
  const auto version = TakeFixed<uint32_t>(&in);
  if (version != kFormatVersion) {
    throw pg::ProtocolError(fmt::format("{} has format version {}, this pgteal reads version {}",
                                        file_.path(), version, kFormatVersion),
                            "Use the pgteal that has written it, or a newer one.");
  }
  const auto header_bytes = TakeFixed<uint32_t>(&in);
  if (header_bytes > kFileHeaderBytesMax) ThrowDamaged("its header has an impossible size");
  if (header_bytes > file_.size_bytes() - kPrefixFixedBytes) {
    ThrowDamaged("it is cut short in its header");
  }
  const std::string content = ReadBytes(kPrefixFixedBytes, header_bytes);
  if (TakeFixed<uint64_t>(&in) != Checksum(std::string(sizes) + content)) {
    ThrowDamaged("checksum mismatch in its header");
  }
  if (!header_.ParseFromString(content)) ThrowDamaged("its header cannot be read");
  first_block_offset_ = kPrefixFixedBytes + header_bytes;
  blocks_end_ = file_.size_bytes();
}

void FrameReader::ReadFooter() {
  if (file_.size_bytes() - first_block_offset_ < kFooterBytes) return;
  const uint64_t footer_offset = file_.size_bytes() - kFooterBytes;
  const std::string footer = ReadBytes(footer_offset, kFooterBytes);
  if (!std::string_view(footer).ends_with(kFooterMagic)) return;
  const size_t checked_bytes = kFooterBytes - kFooterMagic.size() - sizeof(uint64_t);
  std::string_view in = footer;
  const auto index_offset = TakeFixed<uint64_t>(&in);
  const auto block_count = TakeFixed<uint64_t>(&in);
  end_lsn_.value = TakeFixed<uint64_t>(&in);
  const auto index_checksum = TakeFixed<uint64_t>(&in);
  if (TakeFixed<uint64_t>(&in) != Checksum(std::string_view(footer).substr(0, checked_bytes))) {
    ThrowDamaged("checksum mismatch in its footer");
  }
  if (index_offset < first_block_offset_ || index_offset > footer_offset ||
      block_count > footer_offset / kIndexEntryBytes ||
      footer_offset - index_offset != kIndexMagic.size() + block_count * kIndexEntryBytes) {
    ThrowDamaged("its footer does not fit its size");
  }
  is_complete_ = true;
  blocks_end_ = index_offset;
  ReadIndex(block_count, index_checksum);
}

void FrameReader::ReadIndex(uint64_t block_count, uint64_t checksum) {
  const std::string bytes =
      ReadBytes(blocks_end_, kIndexMagic.size() + block_count * kIndexEntryBytes);
  if (Checksum(bytes) != checksum || !std::string_view(bytes).starts_with(kIndexMagic)) {
    ThrowDamaged("checksum mismatch in its index");
  }
  std::string_view in = std::string_view(bytes).substr(kIndexMagic.size());
  uint64_t offset_min = first_block_offset_;
  index_.reserve(block_count);
  while (!in.empty()) {
    IndexEntry entry{};
    entry.offset = TakeFixed<uint64_t>(&in);
    entry.lowest_lsn.value = TakeFixed<uint64_t>(&in);
    entry.highest_lsn.value = TakeFixed<uint64_t>(&in);
    entry.message_count = TakeFixed<uint64_t>(&in);
    if (entry.offset < offset_min || entry.offset >= blocks_end_) {
      ThrowDamaged("its index points outside of its blocks");
    }
    offset_min = entry.offset + kBlockHeaderBytes;
    index_.push_back(entry);
  }
}

bool FrameReader::Next(Frame* frame) {
  while (!NextInBlock(frame)) {
    const auto header = PeekBlock();
    if (!header) return false;
    LoadBlock(*header);
  }
  return true;
}

bool FrameReader::NextInBlock(Frame* frame) {
  try {
    return cursor_.Next(frame);
  } catch (const pg::ProtocolError& error) {
    MoveTo(block_number_ - 1, loaded_offset_);
    ThrowDamaged(error.what());
  }
}

void FrameReader::SeekTo(pg::Lsn lsn) {
  if (is_complete_) {
    const auto found = std::find_if(index_.begin(), index_.end(), [lsn](const IndexEntry& entry) {
      return entry.highest_lsn >= lsn;
    });
    const auto number = static_cast<uint64_t>(found - index_.begin());
    MoveTo(number, found == index_.end() ? blocks_end_ : found->offset);
    return;
  }
  Rewind();
  while (const auto header = PeekBlock()) {
    if (header->highest_lsn >= lsn) return;
    SkipBlock(*header);
  }
}

void FrameReader::MoveTo(uint64_t block_number, uint64_t offset) {
  cursor_ = {};
  block_number_ = block_number;
  offset_ = offset;
}

std::optional<BlockHeader> FrameReader::PeekBlock() {
  const uint64_t left_bytes = blocks_end_ - offset_;
  if (is_complete_ && block_number_ == index_.size()) {
    if (left_bytes != 0) ThrowDamaged("bytes that belong to no block");
    return std::nullopt;
  }
  if (left_bytes < kBlockHeaderBytes) {
    if (is_complete_) ThrowDamaged("the block is missing");
    return std::nullopt;
  }
  const std::string bytes = ReadBytes(offset_, kBlockHeaderBytes);
  if (!is_complete_ && IsTornEnd(bytes)) return std::nullopt;
  return ParseBlockHeader(bytes, left_bytes);
}

std::optional<BlockHeader> FrameReader::ParseBlockHeader(std::string_view bytes,
                                                         uint64_t left_bytes) {
  BlockHeader header;
  try {
    header = BlockHeader::Parse(bytes);
  } catch (const pg::ProtocolError& error) {
    ThrowDamaged(error.what());
  }
  if (header.compressed_bytes > left_bytes - kBlockHeaderBytes) {
    if (is_complete_) ThrowDamaged("the block is longer than the room it has");
    return std::nullopt;
  }
  if (is_complete_) {
    const IndexEntry& entry = index_[block_number_];
    if (entry.offset != offset_ || entry.lowest_lsn != header.lowest_lsn ||
        entry.highest_lsn != header.highest_lsn || entry.message_count != header.message_count) {
      ThrowDamaged("the block is not the one of the index");
    }
  }
  return header;
}

// A file without footer ends at its index (the writer died while closing it) or in zeros, which
// some file systems leave where the machine stopped before the content was written.
bool FrameReader::IsTornEnd(std::string_view bytes) const {
  if (bytes.starts_with(kIndexMagic)) return true;
  constexpr size_t kStepBytes = size_t{64} << 10;
  for (uint64_t offset = offset_; IsZero(bytes); offset += kStepBytes) {
    if (offset >= blocks_end_) return true;
    const std::string step =
        ReadBytes(offset, std::min<uint64_t>(kStepBytes, blocks_end_ - offset));
    if (!IsZero(step)) return false;
  }
  return false;
}

void FrameReader::LoadBlock(const BlockHeader& header) {
  FitBuffer(&compressed_, header.compressed_bytes);
  file_.ReadAt(offset_ + kBlockHeaderBytes, compressed_.data(), header.compressed_bytes);
  try {
    const std::string_view payload = decompressor_.Decompress(
        header, std::string_view(compressed_).substr(0, header.compressed_bytes));
    cursor_ = BlockCursor(payload, header.message_count);
  } catch (const pg::ProtocolError& error) {
    ThrowDamaged(error.what());
  }
  loaded_offset_ = offset_;
  SkipBlock(header);
}

void FrameReader::SkipBlock(const BlockHeader& header) {
  offset_ += kBlockHeaderBytes + header.compressed_bytes;
  ++block_number_;
}

std::string FrameReader::ReadBytes(uint64_t offset, size_t bytes) const {
  std::string out(bytes, '\0');
  file_.ReadAt(offset, out.data(), bytes);
  return out;
}

void FrameReader::ThrowDamaged(std::string_view what) const {
  std::string place;
  if (offset_ != 0) place = fmt::format(", block {} at offset {}", block_number_ + 1, offset_);
  throw pg::ProtocolError(fmt::format("{} is damaged{}: {}", file_.path(), place, what),
                          kDamagedHint);
}

}  // namespace pgteal::pipeline
