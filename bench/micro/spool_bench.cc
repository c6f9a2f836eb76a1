#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "pipeline/frame_reader.h"
#include "pipeline/frame_writer.h"
#include "pipeline/spool.h"

// Spool and frame file with messages as pgoutput sends them for a table like pgbench_accounts:
// Insert, four columns in text form, about 80 bytes. The argument is the zstd level. Bytes a second
// count the messages, not what is on disk.

namespace pgteal::pipeline {
namespace {

constexpr size_t kMessages = 1'000'000;

void PutBigEndian(std::string* out, uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

void PutText(std::string* out, const std::string& text) {
  out->push_back('t');
  PutBigEndian(out, static_cast<uint32_t>(text.size()), 4);
  out->append(text);
}

const std::vector<std::string>& Messages() {
  static const std::vector<std::string> messages = [] {
    std::mt19937 random(1);
    std::vector<std::string> made(kMessages);
    for (std::string& message : made) {
      message = "I";
      PutBigEndian(&message, 16385, 4);
      message.push_back('N');
      PutBigEndian(&message, 4, 2);
      PutText(&message, std::to_string(random() % 5'000'000));
      PutText(&message, std::to_string(random() % 50));
      PutText(&message, std::to_string(static_cast<int>(random() % 10'000) - 5000));
      PutText(&message, "2026-01-02 03:04:" + std::to_string(10 + random() % 50) + "." +
                            std::to_string(100'000 + random() % 900'000) + "+00");
    }
    return made;
  }();
  return messages;
}

size_t MessageBytes() {
  size_t bytes = 0;
  for (const std::string& message : Messages()) bytes += message.size();
  return bytes;
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "spool_bench_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::unique_ptr<decoder::MessageLog> FilledLog(SpoolFolder* folder) {
  auto log = folder->Open({1});
  uint64_t lsn = 0x1600000000;
  for (const std::string& message : Messages()) log->Append({lsn += 120}, message);
  return log;
}

SpoolOptions OptionsAt(const TempFolder& temp, int64_t level) {
  SpoolOptions options;
  options.folder = temp.path();
  options.zstd_level = static_cast<int>(level);
  return options;
}

void Count(benchmark::State* state) {
  state->SetItemsProcessed(state->iterations() * static_cast<int64_t>(kMessages));
  state->SetBytesProcessed(state->iterations() * static_cast<int64_t>(MessageBytes()));
}

void BM_SpoolAppend(benchmark::State& state) {
  Messages();
  const TempFolder temp;
  SpoolFolder folder(OptionsAt(temp, state.range(0)));
  uint64_t disk_bytes = 0;
  for (auto _ : state) {
    const auto log = FilledLog(&folder);
    disk_bytes = folder.disk_bytes();
  }
  if (disk_bytes == 0) state.SkipWithError("nothing was spilled");
  state.counters["ratio"] = static_cast<double>(MessageBytes()) / static_cast<double>(disk_bytes);
  Count(&state);
}
BENCHMARK(BM_SpoolAppend)
    ->Arg(1)
    ->Arg(-1)
    ->Arg(-3)
    ->Arg(-5)
    ->Arg(-10)
    ->Unit(benchmark::kMillisecond);

void BM_SpoolRead(benchmark::State& state) {
  const TempFolder temp;
  SpoolFolder folder(OptionsAt(temp, state.range(0)));
  const auto log = FilledLog(&folder);
  for (auto _ : state) {
    log->Rewind();
    pg::Lsn lsn;
    std::string_view message;
    size_t bytes = 0;
    while (log->Next(&lsn, &message)) bytes += message.size();
    if (bytes != MessageBytes()) state.SkipWithError("other bytes than were written");
  }
  Count(&state);
}
BENCHMARK(BM_SpoolRead)->Arg(1)->Arg(-1)->Arg(-3)->Arg(-5)->Arg(-10)->Unit(benchmark::kMillisecond);

void BM_CaptureAppend(benchmark::State& state) {
  Messages();
  const TempFolder temp;
  uint64_t number = 0;
  for (auto _ : state) {
    FrameWriterOptions options;
    options.zstd_level = static_cast<int>(state.range(0));
    FrameWriter writer(temp.path() + "/" + std::to_string(number++), {}, options);
    uint64_t lsn = 0x1600000000;
    int64_t now = 800'000'000'000'000;
    for (const std::string& message : Messages()) writer.Append({lsn += 120}, {now += 3}, message);
    writer.Flush(FrameWriter::Sync::kNo);
    if (writer.message_count() != kMessages) state.SkipWithError("messages are missing");
  }
  Count(&state);
}
BENCHMARK(BM_CaptureAppend)->Arg(1)->Arg(3)->Unit(benchmark::kMillisecond);

// Logs that never need a file: what every transaction pays that might become large.
void BM_SpoolInMemory(benchmark::State& state) {
  constexpr size_t kMessagesOfOneLog = 1000;
  const auto& messages = Messages();
  const TempFolder temp;
  SpoolFolder folder(OptionsAt(temp, 1));
  for (auto _ : state) {
    std::unique_ptr<decoder::MessageLog> log;
    for (size_t i = 0; i < messages.size(); ++i) {
      if (i % kMessagesOfOneLog == 0) log = folder.Open({1});
      log->Append({i}, messages[i]);
    }
    if (folder.spilled_count() != 0) state.SkipWithError("spilled");
  }
  Count(&state);
}
BENCHMARK(BM_SpoolInMemory)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pgteal::pipeline
