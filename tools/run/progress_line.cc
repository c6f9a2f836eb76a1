#include "tools/run/progress_line.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgteal::tools {
namespace {

// Age of the last transaction applied, while there is something left to apply.
double LagSeconds(const pipeline::SessionView& view, uint64_t lag_bytes) {
  if (lag_bytes == 0 || view.progress.commit_time().micros == 0) return 0;
  const auto age = std::chrono::system_clock::now() - view.progress.commit_time().ToSystem();
  return std::max(0.0, std::chrono::duration<double>(age).count());
}

}  // namespace

void ProgressLine::Show(const pipeline::SessionView& view) {
  const double seconds = line_.SecondsIfDue();
  if (seconds > 0) line_.Show(Text(view, seconds));
}

std::string ProgressLine::Text(const pipeline::SessionView& view, double seconds) {
  const auto& progress = view.progress;
  const uint64_t changes = progress.counters.applied_changes.load();
  const uint64_t transactions = progress.counters.applied_transactions.load();
  // A new session counts from zero again.
  if (changes < last_changes_) last_changes_ = 0;
  if (transactions < last_transactions_) last_transactions_ = 0;
  const uint64_t lag = pg::BytesBetween(progress.applied(), view.source_lsn);
  std::string text =
      fmt::format("received={} applied={} durable={} lag={} lag_s={:.1f} rows/s={:.0f} tx/s={:.0f}",
                  progress.received(), progress.applied(), progress.durable(), BytesText(lag),
                  LagSeconds(view, lag), static_cast<double>(changes - last_changes_) / seconds,
                  static_cast<double>(transactions - last_transactions_) / seconds);
  last_changes_ = changes;
  last_transactions_ = transactions;
  return text;
}

}  // namespace pgteal::tools
