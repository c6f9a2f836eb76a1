#ifndef PGTEAL_PIPELINE_SPOOL_H_
#define PGTEAL_PIPELINE_SPOOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "applier/side_names.h"
#include "decoder/message_log.h"
#include "pipeline/frame_block.h"
#include "pipeline/frame_file.h"
#include "pipeline/frame_format.h"
#include "pipeline/frame_reader.h"
#include "pipeline/spool_tail.h"

// Where the messages of transactions live that are too large for memory. A spool file is a frame
// file without index; it is a cache of what blue sends again after a crash, so nothing is synced
// and nothing is ever resumed from it.

namespace pgteal::pipeline {

struct SpoolOptions {
  // On a file system of this machine: whether another process still lives is asked here.
  std::string folder;
  // In front of every file's name; one SpoolFolder for each prefix in one process.
  std::string prefix = "pgteal";
  // What one log keeps in memory before it opens a file.
  size_t memory_bytes = size_t{256} << 10;
  // For all files together; 0 = as much as the file system has.
  uint64_t disk_bytes_max = 0;
  // Spooled bytes live for seconds, so speed comes first: level 1 makes the file half as large and
  // appends at 60 % of the speed (bench/micro/spool_bench.cc).
  int zstd_level = -10;
  applier::SideNames sides = {};
};

// Opens logs. Open() and everything that writes belong to one thread (the receiver); a log that has
// been rewound belongs to the thread that reads it. Outlives its logs.
class SpoolFolder final : public decoder::MessageLogs {
 public:
  // Removes what crashed processes left. Throws ConfigError when files cannot be made here.
  explicit SpoolFolder(SpoolOptions options);
  SpoolFolder(const SpoolFolder&) = delete;
  SpoolFolder& operator=(const SpoolFolder&) = delete;
  ~SpoolFolder() override = default;

  std::unique_ptr<decoder::MessageLog> Open(pg::Xid xid) override;

  // Any thread.
  uint64_t disk_bytes() const { return disk_bytes_.load(std::memory_order_relaxed); }
  // Message buffers of all logs, without the constant size of the zstd contexts.
  size_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  // Logs that needed a file so far.
  uint64_t spilled_count() const { return spilled_count_.load(std::memory_order_relaxed); }

 private:
  friend class SpoolLog;

  void RemoveStale() const;
  std::string NextPath();
  // Throws Error when `bytes` more would exceed the limit.
  void RequireRoom(uint64_t bytes) const;

  // Set in the constructor, then constant.
  const SpoolOptions options_;
  const std::string file_prefix_;
  // Writing thread only.
  BlockCompressor compressor_;
  uint64_t next_number_ = 0;
  // Statistics and the disk limit; they order nothing, hence relaxed.
  std::atomic<uint64_t> disk_bytes_ = 0;
  std::atomic<size_t> memory_bytes_ = 0;
  std::atomic<uint64_t> spilled_count_ = 0;
};

// The messages of one transaction: whole blocks in a file, if there are any, then the rest in
// memory. Made by SpoolFolder; removes its file.
class SpoolLog final : public decoder::MessageLog {
 public:
  SpoolLog(SpoolFolder* folder, pg::Xid xid) : folder_(folder), xid_(xid) {}
  SpoolLog(const SpoolLog&) = delete;
  SpoolLog& operator=(const SpoolLog&) = delete;
  ~SpoolLog() override;

  // Throws Error when the folder is full.
  void Append(pg::Lsn lsn, std::string_view message) override;
  std::unique_ptr<decoder::MessageTail> Follow() override;
  void Seal() override;
  void Rewind() override;
  bool Next(pg::Lsn* lsn, std::string_view* message) override;

 private:
  void Spill();
  void CountMemory();
  [[nodiscard]] bool NextFrame(Frame* frame);

  SpoolFolder* const folder_;
  const pg::Xid xid_;
  bool is_reading_ = false;
  // Messages not in the file.
  BlockBuilder block_;
  // Open while writing.
  std::optional<FrameFile> file_;
  // Empty: nothing was spilled.
  std::string path_;
  uint64_t file_bytes_ = 0;
  uint64_t file_message_count_ = 0;
  size_t counted_memory_bytes_ = 0;
  // Somebody reads the file meanwhile.
  std::shared_ptr<SpoolMark> mark_;

  // Open while reading the file's part.
  std::unique_ptr<FrameReader> reader_;
  uint64_t read_count_ = 0;
  BlockCursor cursor_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SPOOL_H_
