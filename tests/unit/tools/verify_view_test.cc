#include "tools/verify/verify_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>

#include "tests/support/wait.h"

namespace pgteal::tools {
namespace {

using testing::HasSubstr;

// A quarter of it is read.
class VerifyProgressLine : public testing::Test {
 protected:
  VerifyProgressLine() {
    progress_.tables_total = 12;
    progress_.tables_done = 3;
    progress_.tables_different = 1;
    progress_.bytes_total = 4 << 20;
    progress_.bytes_done = 1 << 20;
    progress_.rows_done = 777;
    progress_.lsn = pg::Lsn{0x1'0000'00AB};
  }

  pipeline::VerifyProgress progress_;
};

TEST_F(VerifyProgressLine, ShowsBarCountsRateAndTheAgeOfTheSnapshot) {
  EXPECT_EQ(VerifyLine(progress_, 1536, progress_.snapshot_taken_at + std::chrono::seconds(95)),
            "verify [######                  ]  25% tables=3/12 different=1 rows=777 rate=1.5kB/s "
            "lsn=1/AB snapshot_age_s=95");
}

TEST_F(VerifyProgressLine, StaysInItsBarWithNothingToReadAndWithMoreThanExpected) {
  progress_.bytes_done = 5 << 20;
  EXPECT_THAT(VerifyLine(progress_, 0, progress_.snapshot_taken_at),
              HasSubstr("[########################] 100% "));
  progress_.bytes_done = 0;
  progress_.bytes_total = 0;
  EXPECT_THAT(VerifyLine(progress_, 0, progress_.snapshot_taken_at),
              HasSubstr("[                        ]   0% "));
}

TEST_F(VerifyProgressLine, GoesToTheLogWhereThereIsNoTerminal) {
  std::ostringstream log;
  const auto former = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
  VerifyView often(false, std::chrono::milliseconds(0));
  VerifyView seldom(false, std::chrono::hours(1));
  const bool is_shown = tests::WaitUntil(
      [&] {
        seldom.Show(progress_);
        often.Show(progress_);
        return !log.str().empty();
      },
      std::chrono::seconds(10));
  spdlog::set_default_logger(former);
  ASSERT_TRUE(is_shown);
  const std::string text = log.str();
  EXPECT_THAT(text, HasSubstr("tables=3/12"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

}  // namespace
}  // namespace pgteal::tools
