#include "pipeline/frame_writer.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/unit/pipeline/frame_fixture.h"

namespace pgteal::pipeline {
namespace {

using testing::IsEmpty;
using FrameWriterTest = FrameFixture;

void WriteAll(FrameWriter* writer, const std::vector<StoredMessage>& messages) {
  for (const auto& message : messages) {
    writer->Append({message.lsn}, {message.time}, message.bytes);
  }
}

TEST_F(FrameWriterTest, WhatIsWrittenIsReadWhateverTheBlockSizeAndLevel) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const auto messages = RandomMessages(seed, 3000);
  int number = 0;
  for (const size_t block_bytes :
       {size_t{0}, size_t{1}, size_t{100}, size_t{4096}, size_t{1} << 20}) {
    for (const int level : {-5, 1, 3}) {
      const std::string path = PathOf(std::to_string(number++));
      FrameWriter writer(path, {}, {.block_bytes = block_bytes, .zstd_level = level});
      WriteAll(&writer, messages);
      writer.Finish({99});
      FrameReader reader(path);
      EXPECT_TRUE(reader.is_complete());
      EXPECT_EQ(reader.end_lsn(), pg::Lsn{99});
      EXPECT_TRUE(ReadAll(&reader) == messages) << block_bytes << " bytes, level " << level;
    }
  }
}

TEST_F(FrameWriterTest, EmptyAndVeryLongMessagesSurvive) {
  std::mt19937_64 random(1);
  std::string noise(5'000'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  const std::vector<StoredMessage> messages = {{1, 1, ""},
                                               {2, 2, noise},
                                               {3, 3, ""},
                                               {UINT64_MAX, INT64_MIN, std::string(9'000'000, 'z')},
                                               {0, INT64_MAX, "end"}};
  FrameWriter writer(PathOf("f"), {});
  WriteAll(&writer, messages);
  writer.Finish({});
  EXPECT_EQ(writer.message_count(), 5U);
  FrameReader reader(PathOf("f"));
  EXPECT_TRUE(ReadAll(&reader) == messages);
}

TEST_F(FrameWriterTest, AFileWithoutMessagesIsCompleteAndEmpty) {
  FrameWriter writer(PathOf("f"), {});
  writer.Finish({5});
  FrameReader reader(PathOf("f"));
  EXPECT_TRUE(reader.is_complete());
  EXPECT_THAT(ReadAll(&reader), IsEmpty());
}

TEST_F(FrameWriterTest, TheHeaderIsReadBack) {
  proto::FrameFileHeader header;
  header.set_server_version_num(170002);
  header.set_slot("teal_capture");
  header.set_start_lsn(0x16B374D848);
  (*header.mutable_settings())["DateStyle"] = "ISO, MDY";
  FrameWriter(PathOf("f"), header).Finish({});
  FrameReader reader(PathOf("f"));
  EXPECT_EQ(reader.header().SerializeAsString(), header.SerializeAsString());
}

TEST_F(FrameWriterTest, AHeaderThatNoReaderTakesIsNotWritten) {
  proto::FrameFileHeader header;
  header.set_publication(std::string(kFileHeaderBytesMax, 'p'));
  EXPECT_THROW(FrameWriter(PathOf("f"), header), pg::ConfigError);
  EXPECT_FALSE(std::filesystem::exists(PathOf("f")));
}

TEST_F(FrameWriterTest, FlushedMessagesAreReadableWhileWritingGoesOn) {
  const auto messages = RandomMessages(2, 10);
  FrameWriter writer(PathOf("f"), {});
  WriteAll(&writer, messages);
  writer.Flush(FrameWriter::Sync::kYes);
  writer.Append({1}, {1}, "not yet");
  FrameReader reader(PathOf("f"));
  EXPECT_FALSE(reader.is_complete());
  EXPECT_EQ(ReadAll(&reader), messages);
}

TEST_F(FrameWriterTest, AWriterThatIsDroppedLeavesAReadableFileThatIsNotComplete) {
  const auto messages = RandomMessages(3, 10);
  {
    FrameWriter writer(PathOf("f"), {});
    WriteAll(&writer, messages);
  }
  FrameReader reader(PathOf("f"));
  EXPECT_FALSE(reader.is_complete());
  EXPECT_FALSE(reader.end_lsn().is_valid());
  EXPECT_EQ(ReadAll(&reader), messages);
}

TEST_F(FrameWriterTest, MessagesShareBlocksUpToTheirSizeAndALongOneStandsAlone) {
  FrameWriter writer(PathOf("f"), {}, {.block_bytes = 1000});
  for (int i = 0; i < 10; ++i) writer.Append({1}, {}, std::string(100, 'a'));
  const uint64_t before = writer.file_bytes();
  writer.Append({1}, {}, std::string(5000, 'b'));
  EXPECT_GT(writer.file_bytes(), before) << "a block of its own is closed at once";
  writer.Finish({});
  const std::string bytes = ReadFile(PathOf("f"));
  std::vector<uint32_t> counts;
  for (size_t at = bytes.find(kBlockMagic); at != std::string::npos;
       at = bytes.find(kBlockMagic, at + 1)) {
    counts.push_back(BlockHeader::Parse(bytes.substr(at, kBlockHeaderBytes)).message_count);
  }
  EXPECT_THAT(counts, testing::ElementsAre(9, 1, 1));
}

// In a child, whose file size limit stands for a full disk.
void WriteUntilFull(const std::string& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{20'000, 20'000};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
  FrameWriter writer(path, {}, {.block_bytes = 1000});
  std::mt19937_64 random(1);
  try {
    for (uint64_t i = 0; i < 10'000; ++i) {
      std::string noise(100, '\0');
      for (char& byte : noise) byte = static_cast<char>(random());
      writer.Append({i}, {}, noise);
    }
  } catch (const pg::Error& error) {
    const std::string text = error.what();
    ::_exit(text == "cannot write to " + path + ": File too large" ? 0 : 11);
  }
  ::_exit(12);
}

TEST_F(FrameWriterTest, AFullDiskEndsInAnErrorAndAReadableFile) {
  const pid_t child = ::fork();
  if (child == 0) WriteUntilFull(PathOf("f"));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0);
  FrameReader reader(PathOf("f"));
  const auto messages = ReadAll(&reader);
  EXPECT_GT(messages.size(), 100U);
  for (size_t i = 0; i < messages.size(); ++i) ASSERT_EQ(messages[i].lsn, i);
}

}  // namespace
}  // namespace pgteal::pipeline
