#ifndef PGTEAL_PG_TIMESTAMP_H_
#define PGTEAL_PG_TIMESTAMP_H_

#include <chrono>
#include <cstdint>

namespace pgteal::pg {

// A server timestamp: microseconds since 2000-01-01 00:00:00 UTC. Informational only; nothing is
// ordered or expired by it (clocks of servers step).
struct Timestamp {
  int64_t micros = 0;

  bool operator==(const Timestamp&) const = default;

  // 2000-01-01 in the Unix epoch.
  static constexpr int64_t kUnixEpochOffsetSeconds = 946'684'800;

  static Timestamp From(std::chrono::system_clock::time_point time) {
    const auto unix_micros =
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    return {unix_micros - kUnixEpochOffsetSeconds * 1'000'000};
  }
  std::chrono::system_clock::time_point ToSystem() const {
    return std::chrono::system_clock::time_point(
        std::chrono::microseconds(micros + kUnixEpochOffsetSeconds * 1'000'000));
  }
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_TIMESTAMP_H_
