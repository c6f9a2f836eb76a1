#include "tools/cli/terminal_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace pgteal::tools {
namespace {

// Of a terminal that does not say.
constexpr unsigned short kColumns = 80;
constexpr unsigned short kRows = 24;

winsize Size() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    size.ws_col = kColumns;
    size.ws_row = kRows;
  }
  return size;
}

// A name may hold anything.
std::string WithoutControls(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

}  // namespace

std::shared_ptr<TerminalLog> TerminalLog::Find() {
  for (const auto& sink : spdlog::default_logger()->sinks()) {
    if (auto found = std::dynamic_pointer_cast<TerminalLog>(sink)) return found;
  }
  return nullptr;
}

size_t TerminalLog::columns() { return Size().ws_col; }

void TerminalLog::log(const spdlog::details::log_msg& message) {
  const std::lock_guard lock(lines_mutex_);
  Erase();
  spdlog::sinks::ansicolor_stderr_sink_mt::log(message);
  Draw();
}

void TerminalLog::Show(std::vector<std::string> lines) {
  const std::lock_guard lock(lines_mutex_);
  Erase();
  lines_ = std::move(lines);
  Draw();
}

void TerminalLog::Leave() {
  const std::lock_guard lock(lines_mutex_);
  lines_.clear();
  drawn_ = 0;
}

// Also what the terminal itself has put behind them, such as ^C.
void TerminalLog::Erase() {
  if (drawn_ > 0) std::fprintf(stderr, "\r\033[%zuA\033[J", drawn_);
  drawn_ = 0;
}

void TerminalLog::Draw() {
  const auto size = Size();
  const size_t count = std::min<size_t>(lines_.size(), std::max(size.ws_row - 1, 1));
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += fmt::format("{:.{}}\n", WithoutControls(lines_[i]), size.ws_col - 1);
  }
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  drawn_ = count;
}

}  // namespace pgteal::tools
