#include "tools/run/progress_line.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>

namespace pgteal::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{500};

std::string Bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

// Age of the last transaction applied, while there is something left to apply.
double LagSeconds(const pipeline::SessionView& view, uint64_t lag_bytes) {
  if (lag_bytes == 0 || view.progress.commit_time().micros == 0) return 0;
  const auto age = std::chrono::system_clock::now() - view.progress.commit_time().ToSystem();
  return std::max(0.0, std::chrono::duration<double>(age).count());
}

}  // namespace

ProgressLine::ProgressLine(bool is_terminal, std::chrono::milliseconds log_interval)
    : is_terminal_(is_terminal),
      interval_(is_terminal ? kTerminalInterval : log_interval),
      last_shown_(Clock::now()) {}

ProgressLine::~ProgressLine() {
  if (has_line_) std::fputc('\n', stderr);
}

void ProgressLine::Show(const pipeline::SessionView& view) {
  const auto now = Clock::now();
  if (now - last_shown_ < interval_) return;
  const std::string text = Text(view, std::chrono::duration<double>(now - last_shown_).count());
  last_shown_ = now;
  if (!is_terminal_) {
    spdlog::info("{}", text);
    return;
  }
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  std::fflush(stderr);
  has_line_ = true;
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
                  progress.received(), progress.applied(), progress.durable(), Bytes(lag),
                  LagSeconds(view, lag), static_cast<double>(changes - last_changes_) / seconds,
                  static_cast<double>(transactions - last_transactions_) / seconds);
  last_changes_ = changes;
  last_transactions_ = transactions;
  return text;
}

}  // namespace pgteal::tools
