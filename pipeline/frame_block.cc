#include "pipeline/frame_block.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <new>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

// Buffers up to this size are kept from block to block.
constexpr size_t kKeptBytesMax = size_t{4} << 20;

uint64_t ZigZag(uint64_t delta) { return (delta << 1) ^ (0 - (delta >> 63)); }
uint64_t UnZigZag(uint64_t coded) { return (coded >> 1) ^ (0 - (coded & 1)); }

char* PutVarint(char* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
  *out++ = static_cast<char>(value);
  return out;
}

[[noreturn]] void ThrowMalformed() {
  throw pg::ProtocolError("the messages in the block are malformed");
}

uint64_t TakeVarint(std::string_view* in) {
  uint64_t value = 0;
  for (size_t i = 0; i < in->size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>((*in)[i]);
    value |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      return value;
    }
  }
  ThrowMalformed();
}

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace

void FitBuffer(std::string* buffer, size_t bytes) {
  if (buffer->size() > kKeptBytesMax && bytes <= kKeptBytesMax) std::string().swap(*buffer);
  if (buffer->size() < bytes) buffer->resize(bytes);
}

BlockHeader BlockHeader::Parse(std::string_view bytes) {
  if (!bytes.starts_with(kBlockMagic)) throw pg::ProtocolError("no block begins here");
  std::string_view in = bytes.substr(kBlockMagic.size());
  BlockHeader header;
  header.message_count = TakeFixed<uint32_t>(&in);
  header.compressed_bytes = TakeFixed<uint32_t>(&in);
  header.payload_bytes = TakeFixed<uint32_t>(&in);
  header.lowest_lsn.value = TakeFixed<uint64_t>(&in);
  header.highest_lsn.value = TakeFixed<uint64_t>(&in);
  header.first_time.micros = static_cast<int64_t>(TakeFixed<uint64_t>(&in));
  header.last_time.micros = static_cast<int64_t>(TakeFixed<uint64_t>(&in));
  header.compressed_checksum = TakeFixed<uint64_t>(&in);
  const std::string_view checked = bytes.substr(0, kBlockHeaderBytes - sizeof(uint64_t));
  if (TakeFixed<uint64_t>(&in) != Checksum(checked)) {
    throw pg::ProtocolError("checksum mismatch in the block's header");
  }
  if (header.message_count == 0 || header.payload_bytes > kPayloadBytesMax ||
      header.compressed_bytes > ZSTD_compressBound(header.payload_bytes)) {
    throw pg::ProtocolError("impossible sizes in the block's header");
  }
  return header;
}

std::string BlockHeader::Encode() const {
  std::string out(kBlockMagic);
  PutFixed(&out, message_count);
  PutFixed(&out, compressed_bytes);
  PutFixed(&out, payload_bytes);
  PutFixed(&out, lowest_lsn.value);
  PutFixed(&out, highest_lsn.value);
  PutFixed(&out, static_cast<uint64_t>(first_time.micros));
  PutFixed(&out, static_cast<uint64_t>(last_time.micros));
  PutFixed(&out, compressed_checksum);
  PutFixed(&out, Checksum(out));
  return out;
}

void BlockBuilder::Append(pg::Lsn lsn, pg::Timestamp receive_time, std::string_view message) {
  if (message.size() > kMessageBytesMax) {
    throw pg::ProtocolError(
        fmt::format("a message of {} bytes at {} is longer than PostgreSQL's "
                    "limit of 1 GiB",
                    message.size(), lsn));
  }
  if (empty()) {
    header_.lowest_lsn = lsn;
    header_.highest_lsn = lsn;
    header_.first_time = receive_time;
    last_lsn_ = 0;
  }
  char numbers[kMessageOverheadBytesMax];
  const auto time = static_cast<uint64_t>(receive_time.micros);
  const auto last_time = empty() ? 0 : static_cast<uint64_t>(header_.last_time.micros);
  char* end = PutVarint(numbers, ZigZag(lsn.value - last_lsn_));
  end = PutVarint(end, ZigZag(time - last_time));
  end = PutVarint(end, message.size());
  payload_.append(numbers, static_cast<size_t>(end - numbers));
  payload_.append(message);
  last_lsn_ = lsn.value;
  header_.lowest_lsn = std::min(header_.lowest_lsn, lsn);
  header_.highest_lsn = std::max(header_.highest_lsn, lsn);
  header_.last_time = receive_time;
  ++header_.message_count;
}

void BlockBuilder::Clear() {
  if (payload_.capacity() > kKeptBytesMax) std::string().swap(payload_);
  payload_.clear();
  header_ = {};
}

BlockCompressor::BlockCompressor(int zstd_level) : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, zstd_level);
}

std::string_view BlockCompressor::Compress(const BlockBuilder& block) {
  const std::string_view payload = block.payload();
  FitBuffer(&out_, kBlockHeaderBytes + ZSTD_compressBound(payload.size()));
  char* compressed = out_.data() + kBlockHeaderBytes;
  const size_t bytes = ZSTD_compress2(context_.get(), compressed, out_.size() - kBlockHeaderBytes,
                                      payload.data(), payload.size());
  if (ZSTD_isError(bytes)) {
    throw pg::Error(fmt::format("cannot compress a block of {} bytes: {}", payload.size(),
                                ZSTD_getErrorName(bytes)));
  }
  BlockHeader header = block.header();
  header.payload_bytes = static_cast<uint32_t>(payload.size());
  header.compressed_bytes = static_cast<uint32_t>(bytes);
  header.compressed_checksum = Checksum({compressed, bytes});
  header.Encode().copy(out_.data(), kBlockHeaderBytes);
  return std::string_view(out_).substr(0, kBlockHeaderBytes + bytes);
}

BlockDecompressor::BlockDecompressor() : context_(ZSTD_createDCtx()) {
  if (!context_) throw std::bad_alloc();
}

std::string_view BlockDecompressor::Decompress(const BlockHeader& header,
                                               std::string_view compressed) {
  if (Checksum(compressed) != header.compressed_checksum) {
    throw pg::ProtocolError("checksum mismatch in the block's content");
  }
  // Before the allocation: the header's word alone is not worth a gigabyte.
  if (ZSTD_getFrameContentSize(compressed.data(), compressed.size()) != header.payload_bytes) {
    throw pg::ProtocolError("the block's content has another size than its header says");
  }
  FitBuffer(&payload_, header.payload_bytes);
  const size_t bytes = ZSTD_decompressDCtx(context_.get(), payload_.data(), header.payload_bytes,
                                           compressed.data(), compressed.size());
  if (ZSTD_isError(bytes) || bytes != header.payload_bytes) {
    throw pg::ProtocolError("the block's content cannot be decompressed");
  }
  return std::string_view(payload_).substr(0, bytes);
}

bool BlockCursor::Next(Frame* frame) {
  if (messages_left_ == 0) {
    if (!rest_.empty()) ThrowMalformed();
    return false;
  }
  lsn_ += UnZigZag(TakeVarint(&rest_));
  time_ += UnZigZag(TakeVarint(&rest_));
  const uint64_t bytes = TakeVarint(&rest_);
  if (bytes > rest_.size()) ThrowMalformed();
  frame->lsn = {lsn_};
  frame->receive_time = {static_cast<int64_t>(time_)};
  frame->message = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  --messages_left_;
  return true;
}

}  // namespace pgteal::pipeline
