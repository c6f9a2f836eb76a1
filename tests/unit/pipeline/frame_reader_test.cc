#include "pipeline/frame_reader.h"

#include "tests/unit/pipeline/frame_fixture.h"

namespace pgteal::pipeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using FrameReaderTest = FrameFixture;

// Offsets of all blocks, then of the index.
std::vector<size_t> BlockOffsets(std::string_view file) {
  std::vector<size_t> offsets;
  for (size_t at = file.find(kBlockMagic); at != std::string_view::npos;
       at = file.find(kBlockMagic, at + 1)) {
    offsets.push_back(at);
  }
  offsets.push_back(file.rfind(kIndexMagic));
  return offsets;
}

std::vector<StoredMessage> FirstOf(const std::vector<StoredMessage>& messages, size_t count) {
  return {messages.begin(), messages.begin() + static_cast<ptrdiff_t>(count)};
}

TEST_F(FrameReaderTest, ACrashAtAnyByteLeavesEveryWholeBlockReadable) {
  const auto messages = RandomMessages(1, 20);
  const std::string whole = ReadFile(WriteBlocks("whole", messages, 5));
  const auto offsets = BlockOffsets(whole);
  ASSERT_EQ(offsets.size(), 5U);
  for (size_t bytes = offsets[2]; bytes < whole.size(); ++bytes) {
    WriteFile(PathOf("cut"), whole.substr(0, bytes));
    FrameReader reader(PathOf("cut"));
    const size_t blocks = bytes >= offsets[4] ? 4 : bytes >= offsets[3] ? 3 : 2;
    EXPECT_FALSE(reader.is_complete());
    EXPECT_EQ(ReadAll(&reader), FirstOf(messages, 5 * blocks)) << "cut at byte " << bytes;
  }
}

TEST_F(FrameReaderTest, ACutInFrontOfTheFirstBlockIsAnError) {
  const std::string whole = ReadFile(WriteBlocks("whole", RandomMessages(2, 5), 5));
  for (size_t bytes = 0; bytes < BlockOffsets(whole)[0]; ++bytes) {
    WriteFile(PathOf("cut"), whole.substr(0, bytes));
    EXPECT_THROW(FrameReader{PathOf("cut")}, pg::ProtocolError) << "cut at byte " << bytes;
  }
}

TEST_F(FrameReaderTest, AnyWrongByteGivesAnErrorOrTheSameContent) {
  const auto messages = RandomMessages(3, 12);
  const std::string complete = ReadFile(WriteBlocks("whole", messages, 4));
  const std::string crashed = complete.substr(0, BlockOffsets(complete).back());
  for (const std::string& good : {complete, crashed}) {
    for (size_t i = 0; i < good.size() * 3; ++i) {
      std::string bad = good;
      const char mask[] = {'\x01', '\x80', '\xff'};
      bad[i / 3] = static_cast<char>(bad[i / 3] ^ mask[i % 3]);
      WriteFile(PathOf("bad"), bad);
      std::vector<StoredMessage> read;
      const auto error = ErrorOf([&] {
        FrameReader reader(PathOf("bad"));
        Frame frame;
        while (reader.Next(&frame)) {
          read.push_back({frame.lsn.value, frame.receive_time.micros, std::string(frame.message)});
        }
      });
      if (error.first.empty()) {
        EXPECT_EQ(read, messages) << "byte " << i / 3;
      } else {
        EXPECT_THAT(error.first, HasSubstr(PathOf("bad"))) << "byte " << i / 3;
        EXPECT_FALSE(error.second.empty()) << "byte " << i / 3;
        EXPECT_EQ(read, FirstOf(messages, read.size())) << "byte " << i / 3;
      }
    }
  }
}

TEST_F(FrameReaderTest, ADamagedBlockIsNamedWithItsNumberAndOffset) {
  std::string bytes = ReadFile(WriteBlocks("whole", RandomMessages(4, 12), 4));
  const size_t offset = BlockOffsets(bytes)[1];
  bytes[offset + kBlockHeaderBytes + 3] ^= 1;
  WriteFile(PathOf("bad"), bytes);
  FrameReader reader(PathOf("bad"));
  const auto [text, hint] = ErrorOf([&] { ReadAll(&reader); });
  EXPECT_EQ(text, PathOf("bad") + " is damaged, block 2 at offset " + std::to_string(offset) +
                      ": checksum mismatch in the block's content");
  EXPECT_THAT(hint, HasSubstr("take a new capture"));
  EXPECT_EQ(ErrorOf([&] { ReadAll(&reader); }).first, text) << "the error comes again";
}

TEST_F(FrameReaderTest, ForeignFilesAreRefusedWithAClearError) {
  struct Case {
    std::string name, bytes, expected;
  };
  const std::string good = ReadFile(WriteBlocks("whole", RandomMessages(5, 1), 1));
  std::string newer = good;
  newer[8] = 2;
  std::string huge_header = good;
  huge_header[15] = '\x7f';
  const std::vector<Case> cases = {
      {"empty", "", " is not a pgteal frame file: it is empty"},
      {"text", "PK\x03\x04 an archive", " is not a pgteal frame file: it begins with other bytes"},
      {"magic only", std::string(kFileMagic), " is damaged: it is cut short in its header"},
      {"newer", newer, " has format version 2, this pgteal reads version 1"},
      {"hostile header size", huge_header, " is damaged: its header has an impossible size"},
      {"header cut", good.substr(0, 20), " is damaged: it is cut short in its header"},
  };
  for (const auto& c : cases) {
    WriteFile(PathOf("f"), c.bytes);
    const auto [text, hint] = ErrorOf([&] { FrameReader reader(PathOf("f")); });
    EXPECT_EQ(text, PathOf("f") + c.expected) << c.name;
    EXPECT_FALSE(hint.empty()) << c.name;
  }
}

TEST_F(FrameReaderTest, ZerosBehindTheLastBlockAreTheEndOfACrashedFile) {
  const auto messages = RandomMessages(6, 4);
  const std::string whole = ReadFile(WriteBlocks("whole", messages, 4));
  const std::string blocks = whole.substr(0, BlockOffsets(whole).back());
  WriteFile(PathOf("zeros"), blocks + std::string(200'000, '\0'));
  FrameReader zeros(PathOf("zeros"));
  EXPECT_EQ(ReadAll(&zeros), messages);
  WriteFile(PathOf("hole"), blocks + std::string(100'000, '\0') + "x");
  FrameReader hole(PathOf("hole"));
  EXPECT_THAT(ErrorOf([&] { ReadAll(&hole); }).first, HasSubstr("no block begins here"));
}

TEST_F(FrameReaderTest, BlocksInAnotherOrderThanTheIndexSaysAreAnError) {
  const std::vector<StoredMessage> messages = {{1, 0, "aaa"}, {2, 0, "bbb"}};
  const std::string good = ReadFile(WriteBlocks("whole", messages, 1));
  const auto offsets = BlockOffsets(good);
  const std::string first = good.substr(offsets[0], offsets[1] - offsets[0]);
  const std::string second = good.substr(offsets[1], offsets[2] - offsets[1]);
  WriteFile(PathOf("f"), good.substr(0, offsets[0]) + second + first + good.substr(offsets[2]));
  FrameReader reader(PathOf("f"));
  EXPECT_THAT(ErrorOf([&] { ReadAll(&reader); }).first, HasSubstr("not the one of the index"));
}

TEST_F(FrameReaderTest, SeekGoesToTheFirstBlockWithSuchAnLsnWithAndWithoutIndex) {
  // LSNs of changes are not ordered: the second block reaches higher than the third.
  const std::vector<StoredMessage> messages = {
      {10, 0, "a"}, {50, 0, "b"}, {30, 0, "c"}, {60, 0, "d"}};
  const std::string complete = ReadFile(WriteBlocks("complete", messages, 1));
  WriteFile(PathOf("crashed"), complete.substr(0, BlockOffsets(complete).back()));
  struct Case {
    uint64_t lsn;
    size_t first;
  };
  for (const auto& name : {"complete", "crashed"}) {
    FrameReader reader(PathOf(name));
    for (const Case c : {Case{0, 0}, {10, 0}, {11, 1}, {50, 1}, {51, 3}, {60, 3}, {61, 4}}) {
      reader.SeekTo({c.lsn});
      const std::vector<StoredMessage> expected(messages.begin() + static_cast<ptrdiff_t>(c.first),
                                                messages.end());
      EXPECT_EQ(ReadAll(&reader), expected) << name << " from " << c.lsn;
    }
    reader.Rewind();
    EXPECT_EQ(ReadAll(&reader), messages) << name;
  }
}

TEST_F(FrameReaderTest, SeekAndRewindLeaveAHalfReadBlock) {
  const auto messages = RandomMessages(7, 10);
  FrameReader reader(WriteBlocks("f", messages, 5));
  Frame frame;
  ASSERT_TRUE(reader.Next(&frame));
  reader.SeekTo({UINT64_MAX});
  EXPECT_THAT(ReadAll(&reader), IsEmpty());
  reader.Rewind();
  ASSERT_TRUE(reader.Next(&frame));
  reader.Rewind();
  EXPECT_EQ(ReadAll(&reader), messages);
}

}  // namespace
}  // namespace pgteal::pipeline
