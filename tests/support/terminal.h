#ifndef PGTEAL_TESTS_SUPPORT_TERMINAL_H_
#define PGTEAL_TESTS_SUPPORT_TERMINAL_H_

#include <filesystem>
#include <string>
#include <vector>

namespace pgteal::tests {

// A pseudo terminal and what a person would see on it: lines that scroll off its top are kept, as
// in a window with a scroll bar. Understands what pgteal sends: text, new line, carriage return,
// cursor up, erase to the end of screen or line, colours. Throws std::runtime_error for anything
// else. One thread, which has to look often enough for the writer not to block.
class Terminal {
 public:
  Terminal(size_t columns, size_t rows);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // To be opened as somebody's standard error.
  std::filesystem::path path() const { return path_; }
  // Everything from the first line to the last that is not empty.
  const std::vector<std::string>& Look();
  bool Shows(const std::string& text);
  size_t column() const { return column_; }

 private:
  void Take(char c);
  void Escape(char command);
  void Put(char c);
  void NewLine();

  const size_t columns_;
  const size_t rows_;
  int master_ = -1;
  int keeper_ = -1;  // keeps the terminal open between writers
  std::filesystem::path path_;
  std::vector<std::string> lines_ = {""};
  std::vector<std::string> shown_;
  size_t row_ = 0;  // index into lines_
  size_t column_ = 0;
  bool is_escape_ = false;
  std::string escape_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_TERMINAL_H_
