#ifndef PGTEAL_TESTS_UNIT_PIPELINE_FRAME_FIXTURE_H_
#define PGTEAL_TESTS_UNIT_PIPELINE_FRAME_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "pg/error.h"
#include "pg/lsn.h"
#include "pg/timestamp.h"
#include "pipeline/frame_reader.h"
#include "pipeline/frame_writer.h"

// What the tests of frame files and of the spool share.

namespace pgteal::pipeline {

struct StoredMessage {
  uint64_t lsn = 0;
  int64_t time = 0;
  std::string bytes;
  bool operator==(const StoredMessage&) const = default;
};

// Sizes are what a stream has: mostly short, some empty, now and then a large value.
inline std::vector<StoredMessage> RandomMessages(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::vector<StoredMessage> messages(count);
  for (StoredMessage& message : messages) {
    message.lsn = random() >> (random() % 64);
    message.time = static_cast<int64_t>(random()) >> (random() % 64);
    message.bytes.resize(random() % 100 == 0 ? random() % 5000 : random() % 120);
    for (char& byte : message.bytes) byte = static_cast<char>(random() % 7);
  }
  return messages;
}

inline std::vector<StoredMessage> ReadAll(FrameReader* reader) {
  std::vector<StoredMessage> messages;
  Frame frame;
  while (reader->Next(&frame)) {
    messages.push_back({frame.lsn.value, frame.receive_time.micros, std::string(frame.message)});
  }
  return messages;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A new file each time: ext4 writes one that is emptied and filled again to disk when it is closed
// (auto_da_alloc), which makes thousands of them wait for a busy disk.
inline void WriteFile(const std::string& path, std::string_view bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class FrameFixture : public testing::Test {
 protected:
  FrameFixture() {
    std::string name = testing::TempDir() + "/frame_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~FrameFixture() override { std::filesystem::remove_all(folder_); }

  std::string PathOf(std::string_view name) const { return folder_ + "/" + std::string(name); }

  // A complete file in which every `block_messages` messages are a block.
  std::string WriteBlocks(std::string_view name, const std::vector<StoredMessage>& messages,
                          size_t block_messages) const {
    const std::string path = PathOf(name);
    FrameWriter writer(path, {});
    for (size_t i = 0; i < messages.size(); ++i) {
      if (i % block_messages == 0) writer.Flush(FrameWriter::Sync::kNo);
      writer.Append({messages[i].lsn}, {messages[i].time}, messages[i].bytes);
    }
    writer.Finish({77});
    return path;
  }

  std::string folder_;
};

// What a statement throws, as text and hint; empty when it throws nothing of ours.
template <typename Function>
std::pair<std::string, std::string> ErrorOf(Function function) {
  try {
    function();
  } catch (const pg::Error& error) {
    return {error.what(), error.hint()};
  }
  return {};
}

}  // namespace pgteal::pipeline

#endif  // PGTEAL_TESTS_UNIT_PIPELINE_FRAME_FIXTURE_H_
