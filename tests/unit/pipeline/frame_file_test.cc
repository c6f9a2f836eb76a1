#include "pipeline/frame_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/unit/pipeline/frame_fixture.h"

namespace pgteal::pipeline {
namespace {

using testing::HasSubstr;
using FrameFileTest = FrameFixture;

TEST_F(FrameFileTest, OnlyTheOwnerMayReadIt) {
  FrameFile::Create(PathOf("f"), "x");
  struct stat status {};
  ASSERT_EQ(::stat(PathOf("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(FrameFileTest, AnExistingFileIsNotOverwritten) {
  WriteFile(PathOf("f"), "precious");
  EXPECT_THROW(FrameFile::Create(PathOf("f"), "x"), pg::ConfigError);
  EXPECT_EQ(ReadFile(PathOf("f")), "precious");
}

TEST_F(FrameFileTest, ErrorsNameTheFileTheReasonAndTheNextStep) {
  const auto [exists, exists_hint] = ErrorOf([&] {
    FrameFile::Create(PathOf("f"), "");
    FrameFile::Create(PathOf("f"), "");
  });
  EXPECT_EQ(exists, "cannot create " + PathOf("f") + ": File exists");
  EXPECT_THAT(exists_hint, HasSubstr("choose another name"));
  const auto [missing, missing_hint] = ErrorOf([&] { FrameFile::Create(PathOf("no/f"), ""); });
  EXPECT_EQ(missing, "cannot create " + PathOf("no/f") + ": No such file or directory");
  EXPECT_THAT(missing_hint, HasSubstr("existing folder"));
  EXPECT_EQ(ErrorOf([&] { FrameFile::Open(PathOf("no")); }).first,
            "cannot open " + PathOf("no") + ": No such file or directory");
  EXPECT_EQ(ErrorOf([&] { FrameFile::Open(folder_); }).first, folder_ + " is not a regular file");
}

TEST_F(FrameFileTest, ANamedPipeIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo(PathOf("pipe").c_str(), 0600), 0);
  EXPECT_THROW(FrameFile::Open(PathOf("pipe")), pg::ConfigError);
}

// Runs in a child, whose file size limit stands for a full disk.
int AppendBeyondLimit(const std::string& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{1000, 1000};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 10;
  FrameFile file = FrameFile::Create(path, std::string(600, 'a'));
  const auto [text, hint] = ErrorOf([&] { file.Append(std::string(600, 'b')); });
  if (text != "cannot write to " + path + ": File too large") return 11;
  if (hint.find("Make room") == std::string::npos) return 12;
  if (file.size_bytes() != 600) return 13;
  file.Append(std::string(400, 'c'));
  return 0;
}

TEST_F(FrameFileTest, AFullDiskGivesAnErrorAndLeavesNoPartOfTheAppend) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(AppendBeyondLimit(PathOf("f")));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(ReadFile(PathOf("f")), std::string(600, 'a') + std::string(400, 'c'));
}

TEST_F(FrameFileTest, AFileThatCannotTakeItsPrefixIsRemoved) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10, 10};
    const bool limited = ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    const auto error = ErrorOf([&] { FrameFile::Create(PathOf("f"), std::string(11, 'x')); }).first;
    ::_exit(limited && !error.empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(PathOf("f")));
}

}  // namespace
}  // namespace pgteal::pipeline
