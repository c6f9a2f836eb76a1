#include "tests/support/memory_logs.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pgteal::tests {
namespace {

class MemoryLog : public decoder::MessageLog {
 public:
  explicit MemoryLog(int* open_count) : open_count_(open_count) { ++*open_count_; }
  ~MemoryLog() override { --*open_count_; }
  MemoryLog(const MemoryLog&) = delete;
  MemoryLog& operator=(const MemoryLog&) = delete;

  void Append(pg::Lsn lsn, std::string_view message) override {
    if (is_complete_) throw std::logic_error("log written to after it was read");
    entries_.push_back(Entry{lsn, std::string(message)});
  }

  void Rewind() override {
    is_complete_ = true;
    next_ = 0;
  }

  bool Next(pg::Lsn* lsn, std::string_view* message) override {
    if (!is_complete_) throw std::logic_error("log read before it was rewound");
    if (next_ == entries_.size()) return false;
    // A copy that the next call overwrites, so that a view kept too long shows.
    present_ = entries_[next_].message;
    *lsn = entries_[next_].lsn;
    *message = present_;
    ++next_;
    return true;
  }

 private:
  struct Entry {
    pg::Lsn lsn;
    std::string message;
  };

  int* const open_count_;
  std::vector<Entry> entries_;
  std::string present_;
  size_t next_ = 0;
  bool is_complete_ = false;
};

}  // namespace

std::unique_ptr<decoder::MessageLog> MemoryLogs::Open(pg::Xid /*xid*/) {
  ++opened_count_;
  return std::make_unique<MemoryLog>(&open_count_);
}

}  // namespace pgteal::tests
