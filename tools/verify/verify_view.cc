#include "tools/verify/verify_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgteal::tools {
namespace {

constexpr std::chrono::seconds kLogInterval{10};
constexpr int kBarWidth = 24;

}  // namespace

VerifyView::VerifyView(bool is_terminal) : line_(is_terminal, kLogInterval) {}

void VerifyView::Show(const pipeline::VerifyProgress& progress) {
  const double seconds = line_.SecondsIfDue();
  if (seconds <= 0) return;
  const uint64_t done = progress.bytes_done.load();
  const uint64_t total = std::max<uint64_t>(progress.bytes_total.load(), 1);
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const int full = static_cast<int>(share * kBarWidth);
  const auto age = pipeline::Clock::now() - progress.snapshot_taken_at;
  line_.Show(fmt::format(
      "verify [{:#<{}}{: <{}}] {:3.0f}% tables={}/{} different={} rows={} rate={}/s lsn={} "
      "snapshot_age_s={:.0f}",
      "", full, "", kBarWidth - full, share * 100, progress.tables_done.load(),
      progress.tables_total.load(), progress.tables_different.load(), progress.rows_done.load(),
      BytesText(
          static_cast<uint64_t>(static_cast<double>(done - std::min(done, last_bytes_)) / seconds)),
      progress.lsn, std::chrono::duration<double>(age).count()));
  last_bytes_ = done;
}

}  // namespace pgteal::tools
