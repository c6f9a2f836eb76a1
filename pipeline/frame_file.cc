#include "pipeline/frame_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

std::string Describe(std::string_view what, const std::string& path, int error) {
  return fmt::format("cannot {} {}: {}", what, path, std::strerror(error));
}

[[noreturn]] void ThrowNotCreated(const std::string& path, int error) {
  throw pg::ConfigError(
      Describe("create", path, error),
      error == EEXIST
          ? "An existing file is never overwritten: choose another name, or remove it."
          : "Give a path in an existing folder that pgteal's user may write to, with free space.");
}

void SyncFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int descriptor =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // Not every file system lets a folder be opened or synced; the file itself is safe by now.
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

FrameFile::FrameFile(std::string path, int descriptor, uint64_t size_bytes)
    : path_(std::move(path)), descriptor_(descriptor), size_bytes_(size_bytes) {}

FrameFile::FrameFile(FrameFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_) {}

FrameFile::~FrameFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FrameFile FrameFile::Create(std::string path, std::string_view prefix) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) ThrowNotCreated(path, errno);
  FrameFile file(std::move(path), descriptor, 0);
  try {
    file.Append(prefix);
  } catch (const pg::Error&) {
    ::unlink(file.path_.c_str());
    throw;
  }
  return file;
}

FrameFile FrameFile::Open(std::string path) {
  // Non-blocking so that a named pipe is refused below, not waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int error = errno;
    throw pg::ConfigError(Describe("open", path, error),
                          "Give the path of a capture that pgteal's user may read.");
  }
  FrameFile file(std::move(path), descriptor, 0);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw pg::ConfigError(fmt::format("{} is not a regular file", file.path_),
                          "Give the path of a capture.");
  }
  file.size_bytes_ = static_cast<uint64_t>(status.st_size);
  return file;
}

void FrameFile::Append(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    const int error = errno;
    // If this fails too, the reader still stops at the last whole block.
    if (::ftruncate(descriptor_, static_cast<off_t>(size_bytes_)) == 0) {
      ::lseek(descriptor_, static_cast<off_t>(size_bytes_), SEEK_SET);
    }
    throw pg::Error(Describe("write to", path_, error),
                    "Make room on its file system, or choose a folder on another one, then start "
                    "again: nothing that blue still has is lost.");
  }
  size_bytes_ += bytes.size();
}

void FrameFile::ReadAt(uint64_t offset, char* out, size_t bytes) const {
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, out, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw pg::Error(Describe("read", path_, errno), "See the system's log.");
    if (got == 0) throw pg::ProtocolError(fmt::format("{} became shorter while read", path_));
    out += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
}

void FrameFile::Sync() {
  if (::fsync(descriptor_) != 0) {
    throw pg::Error(Describe("flush to disk", path_, errno),
                    "The file may lack its last part: see the system's log.");
  }
  SyncFolderOf(path_);
}

}  // namespace pgteal::pipeline
