#include "pipeline/spool.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/unit/pipeline/frame_fixture.h"

namespace pgteal::pipeline {
namespace {

using decoder::MessageLog;
using testing::HasSubstr;

class SpoolTest : public FrameFixture {
 protected:
  SpoolOptions Options(size_t memory_bytes, uint64_t disk_bytes_max = 0) const {
    return {.folder = folder_, .memory_bytes = memory_bytes, .disk_bytes_max = disk_bytes_max};
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
};

void AppendAll(MessageLog* log, const std::vector<StoredMessage>& messages) {
  for (const auto& message : messages) log->Append({message.lsn}, message.bytes);
}

// From the first message on; LSN and bytes only.
std::vector<StoredMessage> RewindAndRead(MessageLog* log) {
  std::vector<StoredMessage> messages;
  log->Rewind();
  pg::Lsn lsn;
  std::string_view message;
  while (log->Next(&lsn, &message)) messages.push_back({lsn.value, 0, std::string(message)});
  return messages;
}

std::vector<StoredMessage> MessagesWithoutTime(uint64_t seed, size_t count) {
  auto messages = RandomMessages(seed, count);
  for (auto& message : messages) message.time = 0;
  return messages;
}

TEST_F(SpoolTest, AShortLogNeedsNoFile) {
  SpoolFolder folder(Options(1 << 20));
  const auto log = folder.Open({7});
  const auto messages = MessagesWithoutTime(1, 100);
  AppendAll(log.get(), messages);
  EXPECT_EQ(RewindAndRead(log.get()), messages);
  EXPECT_TRUE(Files().empty());
  EXPECT_EQ(folder.spilled_count(), 0U);
}

TEST_F(SpoolTest, AnEmptyLogHasNoMessages) {
  SpoolFolder folder(Options(100));
  EXPECT_TRUE(RewindAndRead(folder.Open({7}).get()).empty());
}

TEST_F(SpoolTest, ALongLogComesBackFromItsFileAsOftenAsAsked) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const auto messages = MessagesWithoutTime(seed, 5000);
  for (const size_t memory_bytes : {0, 1, 100, 10'000, 100'000}) {
    SpoolFolder folder(Options(memory_bytes));
    const auto log = folder.Open({7});
    AppendAll(log.get(), messages);
    EXPECT_EQ(folder.spilled_count(), 1U);
    EXPECT_EQ(Files().size(), 1U);
    EXPECT_TRUE(RewindAndRead(log.get()) == messages) << memory_bytes;
    EXPECT_TRUE(RewindAndRead(log.get()) == messages) << memory_bytes << ", second time";
  }
}

TEST_F(SpoolTest, ARewindInTheMiddleBeginsAgain) {
  SpoolFolder folder(Options(1000));
  const auto log = folder.Open({7});
  const auto messages = MessagesWithoutTime(2, 200);
  AppendAll(log.get(), messages);
  log->Rewind();
  pg::Lsn lsn;
  std::string_view message;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(log->Next(&lsn, &message));
  EXPECT_TRUE(RewindAndRead(log.get()) == messages);
}

TEST_F(SpoolTest, LogsOfSeveralTransactionsAreWrittenByTurns) {
  SpoolFolder folder(Options(500));
  const auto messages = MessagesWithoutTime(3, 1000);
  std::vector<std::unique_ptr<MessageLog>> logs;
  std::vector<std::vector<StoredMessage>> expected(4);
  for (uint32_t i = 0; i < 4; ++i) logs.push_back(folder.Open({i}));
  for (size_t i = 0; i < messages.size(); ++i) {
    logs[i % 4]->Append({messages[i].lsn}, messages[i].bytes);
    expected[i % 4].push_back(messages[i]);
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(RewindAndRead(logs[i].get()) == expected[i]);
}

// The sanitizer build proves that reader and writer share nothing.
TEST_F(SpoolTest, OneLogIsReadWhileAnotherIsWritten) {
  SpoolFolder folder(Options(500));
  const auto messages = MessagesWithoutTime(4, 2000);
  auto first = folder.Open({1});
  AppendAll(first.get(), messages);
  std::vector<StoredMessage> read;
  std::thread lane([&read, &first] {
    read = RewindAndRead(first.get());
    first.reset();
  });
  const auto second = folder.Open({2});
  AppendAll(second.get(), messages);
  lane.join();
  EXPECT_TRUE(read == messages);
  EXPECT_TRUE(RewindAndRead(second.get()) == messages);
}

TEST_F(SpoolTest, ADroppedLogLeavesNoFileAndNoCount) {
  SpoolFolder folder(Options(100));
  auto written = folder.Open({1});
  AppendAll(written.get(), MessagesWithoutTime(5, 100));
  auto read = folder.Open({2});
  AppendAll(read.get(), MessagesWithoutTime(6, 100));
  EXPECT_FALSE(RewindAndRead(read.get()).empty());
  EXPECT_EQ(Files().size(), 2U);
  EXPECT_GT(folder.disk_bytes(), 0U);
  written.reset();
  read.reset();
  EXPECT_TRUE(Files().empty());
  EXPECT_EQ(folder.disk_bytes(), 0U);
  EXPECT_EQ(folder.memory_bytes(), 0U);
}

TEST_F(SpoolTest, OnlyFilesOfDeadWritersWithOurNameAreRemoved) {
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  const std::string gone = "pgteal-" + std::to_string(dead) + "-3.spool";
  const std::string ours = "pgteal-" + std::to_string(::getpid()) + "-3.spool";
  const std::string alive = "pgteal-" + std::to_string(::getppid()) + "-3.spool";
  const std::vector<std::string> kept = {alive,
                                         "other-" + std::to_string(dead) + "-3.spool",
                                         "pgteal-" + std::to_string(dead) + ".spool",
                                         "pgteal-" + std::to_string(dead) + "-3.spool.txt",
                                         "pgteal-" + std::to_string(dead) + "-x.spool",
                                         "pgteal--3.spool",
                                         "pgteal-0-3.spool",
                                         "pgteal-99999999999999999999-3.spool",
                                         "capture.frames"};
  for (const auto& name : kept) WriteFile(PathOf(name), "x");
  WriteFile(PathOf(gone), "x");
  WriteFile(PathOf(ours), "x");
  SpoolFolder folder(Options(100));
  EXPECT_THAT(Files(), testing::UnorderedElementsAreArray(kept));
}

TEST_F(SpoolTest, AFolderThatCannotBeUsedIsNamedAtTheStart) {
  WriteFile(PathOf("file"), "x");
  for (const std::string& folder : {PathOf("missing"), PathOf("file"), std::string("/proc")}) {
    const auto [text, hint] = ErrorOf([&] { SpoolFolder spool({.folder = folder}); });
    EXPECT_THAT(text, HasSubstr("spool folder " + folder + " cannot be used: "));
    EXPECT_THAT(hint, HasSubstr("choose another folder"));
    EXPECT_THROW(SpoolFolder({.folder = folder}), pg::ConfigError);
  }
}

TEST_F(SpoolTest, TheDiskLimitCountsAllLogsAndIsNamedWhenReached) {
  SpoolFolder folder(Options(1000, 20'000));
  std::vector<std::unique_ptr<MessageLog>> logs;
  const auto fill = [&] {
    for (uint32_t i = 0; i < 10'000; ++i) {
      if (i % 100 == 0) logs.push_back(folder.Open({i}));
      AppendAll(logs.back().get(), MessagesWithoutTime(i, 1));
    }
  };
  const auto [text, hint] = ErrorOf(fill);
  EXPECT_THAT(text, HasSubstr("spool folder " + folder_ + " is full"));
  EXPECT_THAT(text, HasSubstr("its limit of 20000"));
  EXPECT_THAT(hint, HasSubstr("Raise the limit"));
  EXPECT_LE(folder.disk_bytes(), 20'000U + 100 * kPrefixFixedBytes);
  logs.clear();
  EXPECT_EQ(folder.disk_bytes(), 0U);
  EXPECT_TRUE(Files().empty());
}

TEST_F(SpoolTest, AFullDiskIsAnErrorThatNamesTheFileAndLeavesNoneBehind) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{5000, 5000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
    const auto text = ErrorOf([&] {
                        SpoolFolder folder(Options(1000));
                        AppendAll(folder.Open({1}).get(), MessagesWithoutTime(7, 5000));
                      }).first;
    ::_exit(text.starts_with("cannot write to " + folder_) ? 0 : 11);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(Files().empty());
}

TEST_F(SpoolTest, AnyDamageOfTheFileIsFound) {
  const auto messages = MessagesWithoutTime(8, 30);
  SpoolFolder folder(Options(300));
  const auto log = folder.Open({7});
  AppendAll(log.get(), messages);
  EXPECT_TRUE(RewindAndRead(log.get()) == messages);
  const std::string path = PathOf(Files().at(0));
  const std::string good = ReadFile(path);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    WriteFile(path, bad);
    EXPECT_THROW(RewindAndRead(log.get()), pg::ProtocolError) << "byte " << i;
    WriteFile(path, good.substr(0, i));
    EXPECT_THROW(RewindAndRead(log.get()), pg::ProtocolError) << "cut at " << i;
  }
  WriteFile(path, good);
  EXPECT_TRUE(RewindAndRead(log.get()) == messages);
}

TEST_F(SpoolTest, MemoryStaysBoundedForTwoHundredMegabytes) {
  SpoolFolder folder(Options(256 << 10));
  const auto log = folder.Open({7});
  const std::string message(1000, 'm');
  constexpr uint64_t kMessages = 200'000;
  size_t peak = 0;
  for (uint64_t i = 0; i < kMessages; ++i) {
    log->Append({i}, message);
    peak = std::max(peak, folder.memory_bytes());
  }
  EXPECT_LE(peak, 600U << 10) << "one block and what a growing string leaves unused";
  log->Rewind();
  EXPECT_LE(folder.memory_bytes(), 256U << 10);
  pg::Lsn lsn;
  std::string_view read;
  uint64_t count = 0;
  while (log->Next(&lsn, &read)) {
    ASSERT_EQ(lsn.value, count++);
    ASSERT_EQ(read.size(), message.size());
  }
  EXPECT_EQ(count, kMessages);
}

}  // namespace
}  // namespace pgteal::pipeline
