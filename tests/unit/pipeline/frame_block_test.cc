#include "pipeline/frame_block.h"

#include "tests/unit/pipeline/frame_fixture.h"

namespace pgteal::pipeline {
namespace {

std::string BlockOf(const std::vector<StoredMessage>& messages) {
  BlockBuilder builder;
  for (const auto& message : messages) {
    builder.Append({message.lsn}, {message.time}, message.bytes);
  }
  return std::string(BlockCompressor(1).Compress(builder));
}

TEST(BlockHeader, HoldsTheRangesOfItsMessages) {
  const std::string block = BlockOf({{30, 5, "a"}, {10, 6, ""}, {20, 7, "ccc"}});
  const auto header = BlockHeader::Parse(std::string_view(block).substr(0, kBlockHeaderBytes));
  EXPECT_EQ(header.message_count, 3U);
  EXPECT_EQ(header.lowest_lsn, pg::Lsn{10});
  EXPECT_EQ(header.highest_lsn, pg::Lsn{30});
  EXPECT_EQ(header.first_time, pg::Timestamp{5});
  EXPECT_EQ(header.last_time, pg::Timestamp{7});
  EXPECT_EQ(header.compressed_bytes, block.size() - kBlockHeaderBytes);
}

TEST(BlockHeader, AnyWrongByteIsFound) {
  const std::string good = BlockOf({{1, 2, "abc"}}).substr(0, kBlockHeaderBytes);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    EXPECT_THROW(BlockHeader::Parse(bad), pg::ProtocolError) << "byte " << i;
  }
}

TEST(BlockHeader, SizesThatNoWriterProducesAreRefusedBeforeAnyAllocation) {
  BlockHeader sound;
  sound.message_count = 1;
  sound.payload_bytes = 100;
  sound.compressed_bytes = 50;
  EXPECT_NO_THROW(BlockHeader::Parse(sound.Encode()));
  BlockHeader no_messages = sound;
  no_messages.message_count = 0;
  EXPECT_THROW(BlockHeader::Parse(no_messages.Encode()), pg::ProtocolError);
  BlockHeader long_payload = sound;
  long_payload.payload_bytes = kPayloadBytesMax + 1;
  EXPECT_THROW(BlockHeader::Parse(long_payload.Encode()), pg::ProtocolError);
  BlockHeader long_content = sound;
  long_content.compressed_bytes = 100'000;
  EXPECT_THROW(BlockHeader::Parse(long_content.Encode()), pg::ProtocolError);
}

// Correct checksums over nonsense: what only a hostile writer produces.
TEST(BlockCursor, NeverReadsPastAPayload) {
  const std::string good = [] {
    BlockBuilder builder;
    builder.Append({1'000'000}, {-5}, "abc");
    builder.Append({2}, {9}, "");
    return std::string(builder.payload());
  }();
  const auto read = [](std::string_view payload, uint32_t count) {
    BlockCursor cursor(payload, count);
    Frame frame;
    while (cursor.Next(&frame)) {
    }
  };
  EXPECT_NO_THROW(read(good, 2));
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    EXPECT_THROW(read(good.substr(0, bytes), 2), pg::ProtocolError) << "cut at " << bytes;
  }
  EXPECT_THROW(read(good, 1), pg::ProtocolError) << "bytes that belong to no message";
  EXPECT_THROW(read(good, 3), pg::ProtocolError) << "a message too few";
  EXPECT_THROW(read(std::string(11, '\xff'), 1), pg::ProtocolError) << "endless number";
  EXPECT_THROW(read(std::string("\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12), 1),
               pg::ProtocolError)
      << "length near 2^64";
}

TEST(BlockDecompressor, TheSizeOfTheContentMustBeTheHeaders) {
  const std::string block = BlockOf({{1, 2, std::string(500, 'x')}});
  auto header = BlockHeader::Parse(std::string_view(block).substr(0, kBlockHeaderBytes));
  const std::string_view content = std::string_view(block).substr(kBlockHeaderBytes);
  BlockDecompressor decompressor;
  EXPECT_EQ(decompressor.Decompress(header, content).size(), header.payload_bytes);
  --header.payload_bytes;
  EXPECT_THROW(decompressor.Decompress(header, content), pg::ProtocolError);
  header.payload_bytes = kPayloadBytesMax;
  EXPECT_THROW(decompressor.Decompress(header, content), pg::ProtocolError);
}

TEST(BlockBuilder, ClearKeepsTheUsualBufferAndReleasesAHugeOne) {
  BlockBuilder builder;
  builder.Append({1}, {}, std::string(100'000, 'x'));
  builder.Clear();
  EXPECT_TRUE(builder.empty());
  EXPECT_GE(builder.memory_bytes(), 100'000U);
  builder.Append({1}, {}, std::string(10'000'000, 'x'));
  builder.Clear();
  EXPECT_LT(builder.memory_bytes(), 1000U);
}

}  // namespace
}  // namespace pgteal::pipeline
