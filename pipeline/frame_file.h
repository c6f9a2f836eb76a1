#ifndef PGTEAL_PIPELINE_FRAME_FILE_H_
#define PGTEAL_PIPELINE_FRAME_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace pgteal::pipeline {

// The bytes of a frame file on disk. Owns the descriptor, knows nothing of the format. Every error
// names the file, the system's reason and the operator's next step. One thread at a time.
class FrameFile {
 public:
  // A new file that begins with `prefix` and that only its owner may read, for it holds rows.
  // Throws ConfigError when it exists already or cannot be made. Leaves no file after an error.
  static FrameFile Create(std::string path, std::string_view prefix);
  // Throws ConfigError when it cannot be opened or is not a regular file.
  static FrameFile Open(std::string path);

  FrameFile(FrameFile&& other) noexcept;
  FrameFile& operator=(FrameFile&&) = delete;
  FrameFile(const FrameFile&) = delete;
  FrameFile& operator=(const FrameFile&) = delete;
  ~FrameFile();

  // All of `bytes` or, after an error, none of them: what a full disk took is cut off again.
  void Append(std::string_view bytes);
  // Fills `out` from `offset`. The range lies inside size_bytes().
  void ReadAt(uint64_t offset, char* out, size_t bytes) const;
  // Until content and name survive a crash of the machine.
  void Sync();

  const std::string& path() const { return path_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  FrameFile(std::string path, int descriptor, uint64_t size_bytes);

  std::string path_;
  int descriptor_ = -1;
  // Bytes appended so far, or found when it was opened.
  uint64_t size_bytes_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FRAME_FILE_H_
