#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "pipeline/capture_reader.h"
#include "pipeline/spool.h"
#include "tests/support/change_text.h"

namespace pgteal::tests {
namespace {

// Streams recorded from every version by make_fixtures, decoded and compared with a text that has
// been read by people once. PGTEAL_WRITE_GOLDEN=1 writes the texts anew.
class Recorded : public testing::TestWithParam<int> {
 protected:
  // Small enough that the larger transactions go through the log, too, when asked for.
  static constexpr size_t kTiny = 1024;

  Recorded() : spool_(SpoolOptions()) {}

  static pipeline::SpoolOptions SpoolOptions() {
    pipeline::SpoolOptions options;
    options.folder = testing::TempDir();
    options.prefix = "pgteal-replay-test";
    return options;
  }
  static std::string PathOf(const std::string& suffix) {
    return fmt::format("{}/captures/{}.{}", PGTEAL_REPLAY_FOLDER, GetParam(), suffix);
  }

  std::string Decode(size_t memory_bytes_max) {
    pipeline::CaptureReader reader({PathOf("frames")}, memory_bytes_max, spool_);
    std::string text;
    while (const auto transaction = reader.Next()) {
      text += fmt::format("transaction xid={} end_lsn={} changes={}\n", transaction->xid.value,
                          transaction->end_lsn, transaction->change_count);
      for (const auto& line : ChangeTexts(transaction.get())) text += "  " + Shorten(line) + "\n";
    }
    return text + fmt::format("complete up to {}\n", reader.complete());
  }

  // Long runs of one character as {c*N}.
  static std::string Shorten(const std::string& line) {
    std::string text;
    for (size_t i = 0; i < line.size();) {
      const size_t end = std::min(line.find_first_not_of(line[i], i), line.size());
      const size_t count = end - i;
      text += count < 16 ? std::string(count, line[i]) : fmt::format("{{{}*{}}}", line[i], count);
      i = end;
    }
    return text;
  }

  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  pipeline::SpoolFolder spool_;
};

TEST_P(Recorded, DecodesToTheGoldenText) {
  const std::string text = Decode(size_t{1} << 20);
  if (std::getenv("PGTEAL_WRITE_GOLDEN") != nullptr) {
    std::ofstream(PathOf("golden"), std::ios::binary) << text;
  }
  EXPECT_EQ(text, Read(PathOf("golden")));
}

TEST_P(Recorded, DecodesToTheSameThroughTheSpool) {
  EXPECT_EQ(Decode(kTiny), Read(PathOf("golden")));
  EXPECT_EQ(spool_.disk_bytes(), 0U);
}

// Otherwise the fixtures would not test what they are for.
TEST_P(Recorded, HoldsEveryKindOfMessage) {
  pipeline::FrameReader reader(PathOf("frames"));
  std::string kinds;
  pipeline::Frame frame;
  while (reader.Next(&frame)) {
    if (!frame.message.empty()) kinds += frame.message.front();
  }
  const std::set<char> seen(kinds.begin(), kinds.end());
  EXPECT_EQ(std::string(seen.begin(), seen.end()), "ABCDEIMRSTUYc");
  EXPECT_EQ(reader.header().server_version_num() / 10000, GetParam());
  EXPECT_TRUE(reader.is_complete());
  EXPECT_LT(std::filesystem::file_size(PathOf("frames")), 40'000U);
}

INSTANTIATE_TEST_SUITE_P(Versions, Recorded, testing::Values(14, 15, 16, 17, 18));

}  // namespace
}  // namespace pgteal::tests
