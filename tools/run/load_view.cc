#include "tools/run/load_view.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>

namespace pgteal::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{250};
constexpr size_t kBarsMax = 12;
constexpr int kBarWidth = 24;

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string Bar(const std::string& name, uint64_t done, uint64_t total) {
  const double share =
      std::min(0.99, static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(total, 1)));
  const int full = static_cast<int>(share * kBarWidth);
  return fmt::format("{:<40.40} [{:#<{}}{: <{}}] {:3.0f}%", name, "", full, "", kBarWidth - full,
                     share * 100);
}

std::string Bar(const pipeline::TableProgress& table) {
  return fmt::format("{} {:.0f} MB {} rows", Bar(table.name, table.bytes.load(), table.bytes_total),
                     Megabytes(table.bytes.load()), table.rows.load());
}

std::string Bar(const pipeline::IndexBuild& build) {
  return fmt::format("{} {}", Bar(build.table + " " + build.index, build.done, build.total),
                     build.step);
}

}  // namespace

LoadView::LoadView(bool is_terminal, std::chrono::milliseconds log_interval)
    : is_terminal_(is_terminal),
      interval_(is_terminal ? kTerminalInterval : log_interval),
      last_shown_(Clock::now()) {}

LoadView::~LoadView() {
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
  if (is_terminal_) {
    Draw(lines);
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
    left += table->bytes_total - std::min(table->bytes_total, table->bytes.load());
    if (table->is_started.load() && bars.size() < kBarsMax) bars.push_back(Bar(*table));
  }
  const double rate = static_cast<double>(bytes - std::min(bytes, last_bytes_)) / seconds;
  last_bytes_ = bytes;
  std::string line = fmt::format("load phase={}", pipeline::PhaseName(progress.phase()));
  if (!tables.empty()) {
    line += fmt::format(" tables={}/{} MB={:.0f} MB/s={:.1f}", done, tables.size(),
                        Megabytes(bytes), rate / (1 << 20));
    if (rate > 0 && left > 0)
      line += fmt::format(" eta_s={:.0f}", static_cast<double>(left) / rate);
  }
  if (progress.indexes_total.load() > 0) {
    line +=
        fmt::format(" indexes={}/{}", progress.indexes_done.load(), progress.indexes_total.load());
  }
  for (const auto& build : progress.builds()) bars.push_back(Bar(build));
  bars.insert(bars.begin(), line);
  return bars;
}

void LoadView::Draw(const std::vector<std::string>& lines) {
  if (drawn_ > 0) std::fprintf(stderr, "\033[%zuA\033[J", drawn_);
  for (const auto& line : lines) std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stderr);
  drawn_ = lines.size();
}

}  // namespace pgteal::tools
