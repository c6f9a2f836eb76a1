#include "tools/cli/status_line.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <iterator>

namespace pgteal::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{500};

}  // namespace

StatusLine::StatusLine(bool is_terminal, std::chrono::milliseconds log_interval)
    : terminal_(is_terminal ? TerminalLog::Find() : nullptr),
      interval_(is_terminal ? kTerminalInterval : log_interval),
      last_shown_(Clock::now()) {}

StatusLine::~StatusLine() {
  if (terminal_) terminal_->Leave();
}

double StatusLine::SecondsIfDue() const {
  const auto passed = Clock::now() - last_shown_;
  return passed < interval_ ? 0 : std::chrono::duration<double>(passed).count();
}

void StatusLine::Show(const std::string& text) {
  last_shown_ = Clock::now();
  if (terminal_) {
    terminal_->Show({text});
  } else {
    spdlog::info("{}", text);
  }
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
