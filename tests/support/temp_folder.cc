#include "tests/support/temp_folder.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace pgteal::tests {

std::string ServerUser() { return geteuid() == 0 ? "postgres" : ""; }

void GiveTo(const std::filesystem::path& path, const std::string& owner) {
  if (owner.empty()) return;
  const passwd* account = getpwnam(owner.c_str());
  if (account == nullptr) throw std::runtime_error("no such account: " + owner);
  if (chown(path.c_str(), account->pw_uid, account->pw_gid) != 0) {
    throw std::system_error(errno, std::generic_category(), "chown " + path.string());
  }
}

TempFolder::TempFolder(const std::string& prefix, const std::string& owner) {
  std::string pattern =
      (std::filesystem::temp_directory_path() / ("pgteal_" + prefix + "_XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + pattern);
  }
  path_ = pattern;
  chmod(path_.c_str(), 0755);  // others must reach the sockets inside
  GiveTo(path_, owner);
}

TempFolder::~TempFolder() {
  if (std::getenv("PGTEAL_KEEP_TEMP") != nullptr) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace pgteal::tests
