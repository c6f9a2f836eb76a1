#include "pipeline/capture_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "pg/error.h"

namespace pgteal::pipeline {

CaptureReader::CaptureReader(const std::vector<std::string>& paths, size_t memory_bytes_max,
                             decoder::MessageLogs& logs)
    : memory_bytes_max_(memory_bytes_max), logs_(logs) {
  if (paths.empty()) throw pg::ConfigError("no capture to read", "Name at least one file.");
  for (const auto& path : paths) {
    File file{.path = path, .reader = std::make_unique<FrameReader>(path)};
    if (file.reader->header().server_version_num() == 0) {
      throw pg::ProtocolError(path + " is no capture but a spool file of pgteal");
    }
    files_.push_back(std::move(file));
  }
  std::stable_sort(files_.begin(), files_.end(), [](const File& a, const File& b) {
    return a.reader->header().start_lsn() < b.reader->header().start_lsn();
  });
  RequireOneSource();
  // A gap is best found before anything is applied; the end of a capture that crashed is known only
  // when it has been read.
  pg::Lsn complete;
  for (size_t i = 0; i < files_.size(); ++i) {
    if (i > 0 && complete.is_valid()) RequireNoGap(i, complete);
    const auto& reader = *files_[i].reader;
    complete = reader.is_complete() ? std::max(complete, reader.end_lsn()) : pg::Lsn();
  }
  complete_ = start_lsn();
  file_ = files_.size();
  OpenNext();
}

void CaptureReader::RequireOneSource() const {
  const auto& first = header();
  for (const auto& file : files_) {
    const auto& other = file.reader->header();
    if (other.system_identifier() == first.system_identifier() &&
        other.timeline() == first.timeline() && other.database() == first.database() &&
        other.publication() == first.publication()) {
      continue;
    }
    throw pg::Refused(fmt::format("{} and {} are captures of different sources (server, timeline, "
                                  "database or publication)",
                                  files_.front().path, file.path),
                      "Replay them one after the other, each to a target of its own.");
  }
}

void CaptureReader::RequireNoGap(size_t file, pg::Lsn complete) const {
  const pg::Lsn start{files_[file].reader->header().start_lsn()};
  if (start <= complete) return;
  throw pg::Refused(fmt::format("{} begins at {}, but what comes before it ends at {}: a capture "
                                "between them is missing",
                                files_[file].path, start, complete),
                    "Name all captures of the series.");
}

bool CaptureReader::is_complete() const {
  return std::all_of(files_.begin(), files_.end(),
                     [](const File& file) { return file.reader->is_complete(); });
}

bool CaptureReader::OpenNext() {
  const size_t next = file_ == files_.size() ? 0 : file_ + 1;
  if (next == files_.size()) return false;
  RequireNoGap(next, complete_);
  file_ = next;
  assembler_.emplace(decoder::AssemblerOptions{.protocol_version = static_cast<int>(
                                                   files_[file_].reader->header().proto_version()),
                                               .memory_bytes_max = memory_bytes_max_},
                     logs_);
  return true;
}

std::unique_ptr<decoder::Transaction> CaptureReader::Next() {
  Frame frame;
  while (true) {
    FrameReader& reader = *files_[file_].reader;
    if (!reader.Next(&frame)) {
      if (reader.is_complete()) complete_ = std::max(complete_, reader.end_lsn());
      if (!OpenNext()) return nullptr;
      continue;
    }
    if (frame.message == kPositionMark) {
      complete_ = std::max(complete_, frame.lsn);
      continue;
    }
    message_bytes_ += frame.message.size();
    auto transaction = Feed(frame);
    if (!transaction || transaction->end_lsn <= complete_) continue;
    complete_ = transaction->end_lsn;
    receive_time_ = frame.receive_time;
    return transaction;
  }
}

std::unique_ptr<decoder::Transaction> CaptureReader::Feed(const Frame& frame) {
  try {
    return assembler_->Feed(frame.message, frame.lsn);
  } catch (pg::Error& error) {
    error.AddContext(fmt::format("message with lsn {} in {}", frame.lsn, files_[file_].path));
    throw;
  }
}

}  // namespace pgteal::pipeline
