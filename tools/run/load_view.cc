#include "tools/run/load_view.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace pgteal::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{250};
constexpr size_t kBarsMax = 12;
// Columns from which on names and bars are drawn in full.
constexpr size_t kWideColumns = 110;

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string Bar(const std::string& name, uint64_t done, uint64_t total) {
  const bool is_wide = TerminalLog::columns() >= kWideColumns;
  const int name_width = is_wide ? 40 : 22;
  const int width = is_wide ? 24 : 12;
  const double share =
      std::min(0.99, static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(total, 1)));
  const int full = static_cast<int>(share * width);
  return fmt::format("{:<{}.{}} [{:#<{}}{: <{}}] {:3.0f}%", name, name_width, name_width, "", full,
                     "", width - full, share * 100);
}

// " 12.5 MB/s eta_s=20", as far as they are known.
std::string Pace(uint64_t bytes, double seconds, uint64_t bytes_left) {
  const double rate = static_cast<double>(bytes) / seconds;
  std::string text = fmt::format(" MB/s={:.1f}", rate / (1 << 20));
  if (rate > 0 && bytes_left > 0) {
    text += fmt::format(" eta_s={:.0f}", static_cast<double>(bytes_left) / rate);
  }
  return text;
}

uint64_t BytesLeft(const pipeline::TableProgress& table) {
  return table.bytes_total - std::min(table.bytes_total, table.bytes.load());
}

std::string Bar(const pipeline::IndexBuild& build) {
  return fmt::format("{} {}", Bar(build.table + " " + build.index, build.done, build.total),
                     build.step);
}

}  // namespace

LoadView::LoadView(bool is_terminal, std::chrono::milliseconds log_interval)
    : terminal_(is_terminal ? TerminalLog::Find() : nullptr),
      interval_(is_terminal ? kTerminalInterval : log_interval),
      last_shown_(Clock::now()) {}

LoadView::~LoadView() {
  if (terminal_) terminal_->Show({});
  for (const auto& phase : phases_) spdlog::info("load: {}", phase);
}

void LoadView::Show(const pipeline::LoadProgress& progress) {
  phases_.clear();
  for (const auto& [phase, took] : progress.durations()) {
    const double seconds = std::chrono::duration<double>(took).count();
    if (seconds >= 0.001) {
      phases_.push_back(fmt::format("{:<22} {:9.2f} s", pipeline::PhaseName(phase), seconds));
    }
  }
  const auto now = Clock::now();
  if (now - last_shown_ < interval_) return;
  const auto lines = Lines(progress, std::chrono::duration<double>(now - last_shown_).count());
  last_shown_ = now;
  if (terminal_) {
    terminal_->Show(lines);
  } else {
    spdlog::info("{}", lines.front());
  }
}

// The first line says it all in short; the others are the tables under way.
std::vector<std::string> LoadView::Lines(const pipeline::LoadProgress& progress, double seconds) {
  uint64_t bytes = 0;
  uint64_t left = 0;
  size_t done = 0;
  const auto tables = progress.tables();
  std::vector<std::string> bars;
  for (const auto* table : tables) {
    bytes += table->bytes.load();
    done += table->is_done.load() ? 1 : 0;
    if (table->is_done.load()) continue;
    left += BytesLeft(*table);
    if (terminal_ && table->is_started.load() && bars.size() < kBarsMax) {
      bars.push_back(TableBar(*table, seconds));
    }
  }
  std::string line = fmt::format("load phase={}", pipeline::PhaseName(progress.phase()));
  if (!tables.empty()) {
    line += fmt::format(" tables={}/{} MB={:.0f}", done, tables.size(), Megabytes(bytes));
    if (progress.phase() == pipeline::LoadPhase::kCopy) {
      line += Pace(bytes - std::min(bytes, last_bytes_), seconds, left);
    }
  }
  last_bytes_ = bytes;
  if (progress.indexes_total.load() > 0) {
    line +=
        fmt::format(" indexes={}/{}", progress.indexes_done.load(), progress.indexes_total.load());
  }
  for (const auto& build : progress.builds()) bars.push_back(Bar(build));
  bars.insert(bars.begin(), line);
  return bars;
}

std::string LoadView::TableBar(const pipeline::TableProgress& table, double seconds) {
  const uint64_t bytes = table.bytes.load();
  uint64_t& last = last_table_bytes_[&table];
  const uint64_t more = bytes - std::min(bytes, last);
  last = bytes;
  return fmt::format("{}{} MB={:.0f} rows={}", Bar(table.name, bytes, table.bytes_total),
                     Pace(more, seconds, BytesLeft(table)), Megabytes(bytes), table.rows.load());
}

}  // namespace pgteal::tools
