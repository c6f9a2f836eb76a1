#include "tools/cli/status_line.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <iterator>

namespace pgteal::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{500};

}  // namespace

StatusLine::StatusLine(bool is_terminal, std::chrono::milliseconds log_interval)
    : is_terminal_(is_terminal),
      interval_(is_terminal ? kTerminalInterval : log_interval),
      last_shown_(Clock::now()) {}

StatusLine::~StatusLine() {
  if (has_line_) std::fputc('\n', stderr);
}

double StatusLine::SecondsIfDue() const {
  const auto passed = Clock::now() - last_shown_;
  return passed < interval_ ? 0 : std::chrono::duration<double>(passed).count();
}

void StatusLine::Show(const std::string& text) {
  last_shown_ = Clock::now();
  if (!is_terminal_) {
    spdlog::info("{}", text);
    return;
  }
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  std::fflush(stderr);
  has_line_ = true;
}

std::string BytesText(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

}  // namespace pgteal::tools
