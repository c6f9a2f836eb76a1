#include "pipeline/spool.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "pg/check.h"
#include "pg/error.h"
#include "pipeline/frame_writer.h"

namespace pgteal::pipeline {
namespace {

constexpr std::string_view kSuffix = ".spool";

// Takes a decimal number off the front.
std::optional<int64_t> TakeNumber(std::string_view* text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return number;
}

// The process in "<prefix>-<pid>-<n>.spool"; nothing for any other name.
std::optional<pid_t> WriterOf(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (!name.starts_with('-')) return std::nullopt;
  name.remove_prefix(1);
  const auto pid = TakeNumber(&name);
  if (!pid || *pid == 0 || !name.starts_with('-')) return std::nullopt;
  name.remove_prefix(1);
  if (!TakeNumber(&name) || name != kSuffix) return std::nullopt;
  return static_cast<pid_t>(*pid);
}

bool IsGone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

pg::ConfigError Unusable(const std::string& folder, std::string_view reason) {
  return pg::ConfigError(
      fmt::format("spool folder {} cannot be used: {}", folder, reason),
      "Create it, or let pgteal's user write to it, or choose another folder, then start again.");
}

}  // namespace

SpoolFolder::SpoolFolder(SpoolOptions options)
    : options_(std::move(options)),
      file_prefix_(fmt::format("{}-{}-", options_.prefix, ::getpid())),
      compressor_(options_.zstd_level) {
  RemoveStale();
  const std::string probe = NextPath();
  try {
    FrameFile::Create(probe, "");
  } catch (const pg::ConfigError& error) {
    throw Unusable(options_.folder, error.what());
  }
  ::unlink(probe.c_str());
}

void SpoolFolder::RemoveStale() const {
  std::error_code error;
  std::filesystem::directory_iterator files(options_.folder, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const auto writer = WriterOf(files->path().filename().string(), options_.prefix);
    if (!writer || (*writer != ::getpid() && !IsGone(*writer))) continue;
    ::unlink(files->path().c_str());
  }
  if (error) throw Unusable(options_.folder, error.message());
}

std::unique_ptr<decoder::MessageLog> SpoolFolder::Open(pg::Xid xid) {
  return std::make_unique<SpoolLog>(this, xid);
}

std::string SpoolFolder::NextPath() {
  const std::string name = fmt::format("{}{}{}", file_prefix_, next_number_++, kSuffix);
  return (std::filesystem::path(options_.folder) / name).string();
}

void SpoolFolder::RequireRoom(uint64_t bytes) const {
  if (options_.disk_bytes_max == 0 || disk_bytes() + bytes <= options_.disk_bytes_max) return;
  throw pg::Error(
      fmt::format("spool folder {} is full: it holds {} bytes, {} more would exceed its "
                  "limit of {}",
                  options_.folder, disk_bytes(), bytes, options_.disk_bytes_max),
      options_.sides.Format("Raise the limit of the spool, then start again: nothing is lost, blue "
                            "sends the transaction again."));
}

SpoolLog::~SpoolLog() {
  folder_->memory_bytes_.fetch_sub(counted_memory_bytes_, std::memory_order_relaxed);
  folder_->disk_bytes_.fetch_sub(file_bytes_, std::memory_order_relaxed);
  if (mark_) mark_->Cut();
  if (!path_.empty()) ::unlink(path_.c_str());
}

void SpoolLog::Append(pg::Lsn lsn, std::string_view message) {
  PGTEAL_CHECK(!is_reading_, "append to a spool log that is being read");
  const size_t memory_bytes = folder_->options_.memory_bytes;
  const size_t limit = file_ ? std::min(memory_bytes, kBlockBytesDefault) : memory_bytes;
  if (block_.IsFullFor(message, limit)) Spill();
  block_.Append(lsn, {}, message);
  if (block_.payload().size() >= limit) Spill();
  CountMemory();
}

void SpoolLog::Spill() {
  const std::string_view bytes = folder_->compressor_.Compress(block_);
  folder_->RequireRoom(bytes.size());
  if (!file_) {
    std::string path = folder_->NextPath();
    file_.emplace(FrameFile::Create(path, EncodeFilePrefix({})));
    path_ = std::move(path);
    folder_->spilled_count_.fetch_add(1, std::memory_order_relaxed);
  }
  file_->Append(bytes);
  folder_->disk_bytes_.fetch_add(file_->size_bytes() - file_bytes_, std::memory_order_relaxed);
  file_bytes_ = file_->size_bytes();
  file_message_count_ += block_.header().message_count;
  block_.Clear();
  if (mark_) mark_->Reach(file_bytes_);
}

std::unique_ptr<decoder::MessageTail> SpoolLog::Follow() {
  if (!file_ || mark_) return nullptr;
  mark_ = std::make_shared<SpoolMark>();
  mark_->Reach(file_bytes_);
  return std::make_unique<SpoolTail>(path_, EncodeFilePrefix({}).size(), mark_);
}

void SpoolLog::Seal() {
  if (!mark_) return;
  if (!block_.empty()) Spill();
  mark_->End();
}

void SpoolLog::CountMemory() {
  const size_t bytes = block_.memory_bytes();
  if (bytes == counted_memory_bytes_) return;
  folder_->memory_bytes_.fetch_add(bytes - counted_memory_bytes_, std::memory_order_relaxed);
  counted_memory_bytes_ = bytes;
}

void SpoolLog::Rewind() {
  if (!is_reading_) {
    is_reading_ = true;
    file_.reset();
    block_.ShrinkToFit();
    CountMemory();
  }
  reader_.reset();
  if (!path_.empty()) reader_ = std::make_unique<FrameReader>(path_);
  read_count_ = 0;
  cursor_ = BlockCursor(block_.payload(), block_.header().message_count);
}

bool SpoolLog::Next(pg::Lsn* lsn, std::string_view* message) {
  PGTEAL_CHECK(is_reading_, "read of a spool log before its first rewind");
  Frame frame;
  if (!NextFrame(&frame)) return false;
  *lsn = frame.lsn;
  *message = frame.message;
  return true;
}

bool SpoolLog::NextFrame(Frame* frame) {
  if (reader_) {
    if (reader_->Next(frame)) {
      ++read_count_;
      return true;
    }
    if (read_count_ != file_message_count_) {
      throw pg::ProtocolError(
          fmt::format("spool file {} of transaction {} ends after {} of {} messages", path_,
                      xid_.value, read_count_, file_message_count_),
          "Somebody has changed the file: keep others out of the spool folder, then start again.");
    }
    reader_.reset();
  }
  return cursor_.Next(frame);
}

}  // namespace pgteal::pipeline
