#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

// The corpus of frame_fuzz.cc without a fuzzer: what it once found stays found, with any compiler.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void Feed(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

TEST(FrameCorpus, EveryInputIsReadOrRefused) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PGTEAL_FRAME_CORPUS)) {
    SCOPED_TRACE(entry.path().filename());
    std::ifstream in(entry.path(), std::ios::binary);
    Feed({std::istreambuf_iterator<char>(in), {}});
    ++count;
  }
  EXPECT_GT(count, 0U);
}

TEST(FrameCorpus, EveryInputCutAtAnyByteIsReadOrRefused) {
  for (const auto& entry : std::filesystem::directory_iterator(PGTEAL_FRAME_CORPUS)) {
    SCOPED_TRACE(entry.path().filename());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    for (size_t bytes = 0; bytes < whole.size(); ++bytes) Feed(whole.substr(0, bytes));
  }
}

}  // namespace
