#include "tools/cli/time_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace pgteal::tools {

std::string TimeText(pg::Timestamp time) {
  int64_t seconds = time.micros / 1'000'000;
  int64_t micros = time.micros % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  const std::tm utc =
      fmt::gmtime(static_cast<std::time_t>(seconds + pg::Timestamp::kUnixEpochOffsetSeconds));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", utc, micros);
}

}  // namespace pgteal::tools
