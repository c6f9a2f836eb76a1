#include "tools/verify/verify_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgteal::tools {
namespace {

constexpr int kBarWidth = 24;

}  // namespace

std::string VerifyLine(const pipeline::VerifyProgress& progress, uint64_t bytes_per_second,
                       pipeline::Clock::time_point now) {
  const auto done = static_cast<double>(progress.bytes_done.load());
  const auto total = static_cast<double>(std::max<uint64_t>(progress.bytes_total.load(), 1));
  const double share = std::min(1.0, done / total);
  const int full = static_cast<int>(share * kBarWidth);
  return fmt::format(
      "verify [{:#<{}}{: <{}}] {:3.0f}% tables={}/{} different={} rows={} rate={}/s lsn={} "
      "snapshot_age_s={:.0f}",
      "", full, "", kBarWidth - full, share * 100, progress.tables_done.load(),
      progress.tables_total.load(), progress.tables_different.load(), progress.rows_done.load(),
      BytesText(bytes_per_second), progress.lsn,
      std::chrono::duration<double>(now - progress.snapshot_taken_at).count());
}

VerifyView::VerifyView(bool is_terminal, std::chrono::milliseconds log_interval)
    : line_(is_terminal, log_interval) {}

void VerifyView::Show(const pipeline::VerifyProgress& progress) {
  const double seconds = line_.SecondsIfDue();
  if (seconds <= 0) return;
  const uint64_t done = progress.bytes_done.load();
  const auto moved = static_cast<double>(done - std::min(done, last_bytes_));
  line_.Show(VerifyLine(progress, static_cast<uint64_t>(moved / seconds), pipeline::Clock::now()));
  last_bytes_ = done;
}

}  // namespace pgteal::tools
