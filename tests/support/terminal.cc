#include "tests/support/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

namespace pgteal::tests {
namespace {

// The bytes of a character after its first one take no column.
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The byte at which a column of the line begins.
size_t ByteAt(const std::string& line, size_t column) {
  size_t at = 0;
  for (; at < line.size(); ++at) {
    if (IsContinuation(line[at])) continue;
    if (column-- == 0) break;
  }
  return at;
}

}  // namespace

Terminal::Terminal(size_t columns, size_t rows)
    : columns_(columns), rows_(rows), master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) {
    throw std::runtime_error("no pseudo terminal");
  }
  path_ = ptsname(master_);
  keeper_ = open(path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  ioctl(keeper_, TIOCSWINSZ, &size);
  fcntl(master_, F_SETFL, O_NONBLOCK);
}

Terminal::~Terminal() {
  close(keeper_);
  close(master_);
}

const std::vector<std::string>& Terminal::Look() {
  std::array<char, 4096> buffer;
  ssize_t bytes = 0;
  while ((bytes = read(master_, buffer.data(), buffer.size())) > 0) {
    for (ssize_t i = 0; i < bytes; ++i) Take(buffer[static_cast<size_t>(i)]);
  }
  shown_ = lines_;
  while (!shown_.empty() && shown_.back().empty()) shown_.pop_back();
  return shown_;
}

bool Terminal::Shows(const std::string& text) {
  const auto& lines = Look();
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

void Terminal::Take(char c) {
  if (is_escape_) {
    const bool is_end = c >= '@' && c <= '~' && c != '[';
    if (!is_end) {
      escape_ += c;
      return;
    }
    is_escape_ = false;
    Escape(c);
    escape_.clear();
  } else if (c == '\033') {
    is_escape_ = true;
  } else if (c == '\r') {
    column_ = 0;
  } else if (c == '\n') {
    NewLine();
  } else {
    Put(c);
  }
}

void Terminal::Escape(char command) {
  auto& line = lines_[row_];
  switch (command) {
    case 'm':
      return;
    case 'A': {
      // Not beyond the top of the screen: what has scrolled off cannot be reached any more.
      const size_t top = lines_.size() > rows_ ? lines_.size() - rows_ : 0;
      const size_t up = std::max<size_t>(1, std::strtoul(escape_.c_str() + 1, nullptr, 10));
      row_ = row_ - std::min(up, row_ - top);
      return;
    }
    case 'J':
      for (size_t i = row_ + 1; i < lines_.size(); ++i) lines_[i].clear();
      [[fallthrough]];
    case 'K':
      line.resize(std::min(line.size(), ByteAt(line, column_)));
      return;
    default:
      throw std::runtime_error("unknown sequence " + escape_ + command);
  }
}

void Terminal::Put(char c) {
  if (!IsContinuation(c) && column_ == columns_) {
    column_ = 0;
    NewLine();
  }
  auto& line = lines_[row_];
  if (IsContinuation(c)) {
    line.insert(ByteAt(line, column_), 1, c);
    return;
  }
  const size_t at = ByteAt(line, column_);
  line.replace(at, ByteAt(line, column_ + 1) - at, 1, c);
  ++column_;
}

void Terminal::NewLine() {
  if (++row_ == lines_.size()) lines_.emplace_back();
}

}  // namespace pgteal::tests
