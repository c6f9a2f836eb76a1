#ifndef PGTEAL_PIPELINE_MEMORY_FILE_H_
#define PGTEAL_PIPELINE_MEMORY_FILE_H_

#include <string>
#include <string_view>

namespace pgteal::pipeline {

// A file in memory for programs that we start, which inherit it. It has no name in any folder: so
// nobody else can open it, and nothing is left of it however we end.
class MemoryFile {
 public:
  // Throws ConfigError.
  explicit MemoryFile(const char* title, std::string_view content = {});
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // As our children see it. Each that opens it has a position of its own.
  std::string path() const;

 private:
  const int fd_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_MEMORY_FILE_H_
