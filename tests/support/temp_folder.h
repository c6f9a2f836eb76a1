#ifndef PGTEAL_TESTS_SUPPORT_TEMP_FOLDER_H_
#define PGTEAL_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <filesystem>
#include <string>

namespace pgteal::tests {

// The account that servers run as: they refuse root. Empty when we are not root.
std::string ServerUser();
// `owner` is an account's name, or empty for no change. Throws std::runtime_error.
void GiveTo(const std::filesystem::path& path, const std::string& owner);

// A new folder below $TMPDIR, removed with everything in it by the destructor, unless
// PGTEAL_KEEP_TEMP is set in the environment. Throws std::runtime_error.
class TempFolder {
 public:
  // `owner` is an account's name, or empty for ours.
  explicit TempFolder(const std::string& prefix, const std::string& owner = "");
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The whole file, or "" when it cannot be read.
std::string ReadFile(const std::filesystem::path& path);

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_TEMP_FOLDER_H_
