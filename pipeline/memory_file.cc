#include "pipeline/memory_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/error.h"

namespace pgteal::pipeline {

MemoryFile::MemoryFile(const char* title, std::string_view content) : fd_(memfd_create(title, 0)) {
  if (fd_ < 0) throw pg::ConfigError(fmt::format("cannot make a file in memory for {}", title));
  fchmod(fd_, S_IRUSR | S_IWUSR);
  if (write(fd_, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    close(fd_);
    throw pg::ConfigError(fmt::format("cannot write a file in memory for {}", title));
  }
}

MemoryFile::~MemoryFile() { close(fd_); }

std::string MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", fd_); }

}  // namespace pgteal::pipeline
