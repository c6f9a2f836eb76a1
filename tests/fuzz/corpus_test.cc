#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/decode_seeds.h"
#include "tests/fuzz/feed_stream.h"

namespace pgteal::tests {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(PGTEAL_CORPUS_DIR) / "decode";

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(DecodeCorpus, EveryFileIsReadOrRefused) {
  int count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(kCorpus)) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string input = ReadFile(entry.path());
    // Cut anywhere, so that each message is also the last and an incomplete one.
    for (size_t size = 0; size <= input.size(); ++size) FeedStream(input.substr(0, size));
    ++count;
  }
  EXPECT_GE(count, 20);
}

// With PGTEAL_WRITE_CORPUS=1 the files are written instead.
TEST(DecodeCorpus, TheSeedsAreWhatThePgoutputWriterWrites) {
  const bool is_writing = std::getenv("PGTEAL_WRITE_CORPUS") != nullptr;
  for (const DecodeSeed& seed : DecodeSeeds()) {
    SCOPED_TRACE(seed.name);
    if (is_writing) std::ofstream(kCorpus / seed.name, std::ios::binary) << seed.input;
    EXPECT_EQ(ReadFile(kCorpus / seed.name), seed.input);
    EXPECT_EQ(FeedStream(seed.input).was_refused, seed.is_refused);
  }
}

}  // namespace
}  // namespace pgteal::tests
