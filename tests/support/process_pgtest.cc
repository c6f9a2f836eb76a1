#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ProcessTest, GivesExitCodeSignalAndOutput) {
  const TempFolder folder("process");
  const ExitStatus done = RunToEnd({.argv = {"sh", "-c", "echo out $X; echo err >&2; exit 7"},
                                    .env = {{"X", "y"}},
                                    .stdout_path = folder / "out",
                                    .stderr_path = folder / "err"},
                                   seconds(10));
  EXPECT_EQ(done.code, 7);
  EXPECT_GT(done.peak_rss_bytes, 0U);
  EXPECT_EQ(ReadFile(folder / "out"), "out y\n");
  EXPECT_EQ(ReadFile(folder / "err"), "err\n");
  EXPECT_EQ(RunToEnd({.argv = {"sh", "-c", "kill -9 $$"}}, seconds(10)).signal, SIGKILL);
}

TEST(ProcessTest, AProgramThatIsNotThereIsAnError) {
  EXPECT_THROW(RunToEnd({.argv = {"no-such-program-at-all"}}, seconds(1)), std::system_error);
}

TEST(ProcessTest, WaitsWithADeadline) {
  Process sleeper({.argv = {"sleep", "1000"}});
  EXPECT_FALSE(sleeper.Wait(milliseconds(10)));
  EXPECT_TRUE(sleeper.IsRunning());
  sleeper.Kill(SIGTERM);
  ASSERT_TRUE(sleeper.Wait(seconds(10)));
  EXPECT_FALSE(sleeper.IsRunning());
}

TEST(ProcessTest, OutlivesTheThreadThatStartedIt) {
  std::unique_ptr<Process> sleeper;
  std::thread starter([&sleeper] {
    sleeper = std::make_unique<Process>(ProcessOptions{.argv = {"sleep", "1000"}});
  });
  starter.join();
  EXPECT_FALSE(sleeper->Wait(milliseconds(50)));
}

// This very program, started again to play the one that dies.
TEST(ProcessTest, DISABLED_StartsAChildAndDies) {
  Process sleeper({.argv = {"sleep", "1000"}});
  std::printf("child=%d\n", sleeper.pid());
  std::fflush(stdout);
  raise(SIGKILL);
}

TEST(ProcessTest, ChildrenDieWithTheProgram) {
  const TempFolder folder("process");
  const ExitStatus died =
      RunToEnd({.argv = {"/proc/self/exe", "--gtest_also_run_disabled_tests",
                         "--gtest_filter=ProcessTest.DISABLED_StartsAChildAndDies"},
                .stdout_path = folder / "out"},
               seconds(20));
  ASSERT_EQ(died.signal, SIGKILL);
  const std::string out = ReadFile(folder / "out");
  const size_t at = out.find("child=");
  ASSERT_NE(at, std::string::npos) << out;
  const std::string stat = "/proc/" + std::to_string(std::stoi(out.substr(at + 6))) + "/stat";
  const auto has_ended = [&stat] {
    const std::string text = ReadFile(stat);
    return text.empty() || text.find(") Z") != std::string::npos;
  };
  EXPECT_TRUE(WaitUntil(has_ended, seconds(5)));
}

}  // namespace
}  // namespace pgteal::tests
