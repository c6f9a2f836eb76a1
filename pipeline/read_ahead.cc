#include "pipeline/read_ahead.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>

#include "decoder/pgoutput.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/slot_restart.h"

namespace pgteal::pipeline {
namespace {

// Between two moves of the slot itself, which cost blue about a tenth of decoding.
constexpr uint64_t kConfirmBytes = 128 << 20;
// Twice as much takes blue about as long to decode as green takes to apply the one before.
constexpr double kGrowthMax = 2;
// A chunk that came to less is followed by one that may come to this much: most of it was full-page
// images, of which there are fewer later on, or not published, or of a large transaction that is
// cheapest in one call.
constexpr double kSmallResult = 3 << 20;
// What a chunk's result may take of blue's memory before it goes to a temporary file.
constexpr const char* kWorkMem = "32MB";

// COPY's binary format (PostgreSQL docs, "COPY"): a header before the first row, then rows of a
// field count and fields of length and bytes, then -1.
constexpr size_t kHeaderBytes = 19;
constexpr size_t kTrailerBytes = 2;
constexpr size_t kLsnField = 2 + 4;
constexpr size_t kDataField = kLsnField + 8 + 4;

uint64_t BigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

[[noreturn]] void ThrowHalfRow(const ReadAheadOptions& options) {
  throw pg::ProtocolError(options.sides.Format("blue sent half a row of changes"));
}

bool IsStreamStart(std::string_view message) {
  return decoder::TypeOf(message) == decoder::MessageType::kStreamStart;
}

pg::SessionOptions WithWorkMem(pg::SessionOptions session, const pg::Interrupt* interrupt) {
  session.interrupt = interrupt;
  session.settings.emplace_back("work_mem", kWorkMem);
  // Blue would decode on for a process that has died, and the next one waits for it.
  session.settings.emplace_back("client_connection_check_interval", "200ms");
  return session;
}

}  // namespace

uint64_t NextChunkBytes(const ReadAheadOptions& options, uint64_t asked_bytes,
                        uint64_t result_bytes) {
  const auto result = static_cast<double>(std::max<uint64_t>(1, result_bytes));
  const double wanted = std::min(static_cast<double>(options.result_bytes),
                                 std::max(kGrowthMax * result, kSmallResult));
  const double next = static_cast<double>(asked_bytes) * wanted / result;
  const auto most = static_cast<double>(options.chunk_bytes_max);
  return std::max(options.chunk_bytes_min, static_cast<uint64_t>(std::min(next, most)));
}

ReadAhead::ReadAhead(const ReadAheadOptions& options, const pg::ConnInfo& source,
                     const pg::SessionOptions& session, const pg::StreamOptions& stream,
                     pg::Lsn until)
    : options_(options),
      stream_(stream),
      until_(until),
      blue_(std::make_unique<pg::Connection>(source, WithWorkMem(session, &interrupt_))),
      chunk_bytes_(options.chunk_bytes_min) {
  blue_->EnlargeInputBuffer();
  CopySlot();
  LookAtPosition();
  confirmed_ = position_;
}

// Temporary: it goes with our session, however that ends. The name is the session's own.
void ReadAhead::CopySlot() {
  copy_ = fmt::format("pgteal_read_ahead_{}", blue_->backend_pid());
  blue_->Exec("SELECT pg_copy_logical_replication_slot($1, $2, true)", {stream_.slot, copy_});
}

void ReadAhead::LookAtPosition() {
  const auto row = blue_->Exec(
      "SELECT confirmed_flush_lsn, restart_lsn, CASE WHEN pg_is_in_recovery() THEN"
      " pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END"
      " FROM pg_replication_slots WHERE slot_name = $1",
      {copy_});
  if (row.is_empty()) throw pg::ConnectionLost(fmt::format("slot {} is gone", copy_));
  position_ = row.LsnAt(0, 0);
  restart_lsn_ = row.LsnAt(0, 1);
  end_ = row.LsnAt(0, 2);
  if (until_.is_valid()) end_ = std::min(end_, until_);
}

bool ReadAhead::IsWorthwhile() const {
  return end_ > position_ && end_.value - position_.value >= options_.backlog_bytes_min &&
         position_.value - restart_lsn_.value <= options_.restart_distance_max;
}

bool ReadAhead::OpenChunk() {
  if (!is_asked_ && !Ask()) return false;
  chunk_ = std::make_unique<pg::CopyOut>(*blue_);
  is_asked_ = false;
  is_chunk_start_ = true;
  has_streamed_ = false;
  result_bytes_ = 0;
  return true;
}

bool ReadAhead::Ask() {
  if (position_ >= end_) return false;
  const uint64_t left = end_.value - position_.value;
  const bool is_to_the_end = until_.is_valid() && end_ == until_;
  if (!is_to_the_end && left < options_.backlog_bytes_min) return false;
  const pg::Lsn up_to{position_.value + std::min(left, chunk_bytes_)};
  std::string arguments;
  for (const auto& [name, value] : pg::PluginOptions(stream_)) {
    arguments += fmt::format(", {}, {}", pg::QuoteLiteral(name), pg::QuoteLiteral(value));
  }
  pg::CopyOut::Ask(
      *blue_, fmt::format("COPY (SELECT lsn, data FROM pg_logical_slot_get_binary_changes({},"
                          " {}, NULL{})) TO STDOUT (FORMAT binary)",
                          pg::QuoteLiteral(copy_), pg::QuoteLiteral(up_to.ToString()), arguments));
  is_asked_ = true;
  asked_bytes_ = chunk_bytes_;
  return true;
}

bool ReadAhead::TakeMore() {
  if (!chunk_ || buffer_.size() >= options_.buffer_bytes) return false;
  TakePiece();
  return true;
}

// Behind what is in the buffer: waits for a row and takes what has arrived with it, so that blue
// has sent the chunk soon and can decode the one after it.
void ReadAhead::TakePiece() {
  for (auto row = chunk_->Next(); row; row = chunk_->chunk()) {
    TakeRow(*row);
    if (buffer_.size() >= options_.buffer_bytes) return;
    const auto step = chunk_->Poll();
    if (step == pg::CopyOut::Step::kNothingYet) return;
    if (step == pg::CopyOut::Step::kEnd) break;
  }
  EndChunk();
}

void ReadAhead::TakeRow(std::string_view row) {
  // The header comes together with the first row.
  if (is_chunk_start_) row.remove_prefix(std::min(kHeaderBytes, row.size()));
  is_chunk_start_ = false;
  if (row.size() <= kTrailerBytes) return;
  buffer_.append(row);
  result_bytes_ += row.size();
  has_streamed_ |= row.size() > kDataField && IsStreamStart(row.substr(kDataField));
}

void ReadAhead::EndChunk() {
  chunk_.reset();
  LookAtPosition();
  spdlog::debug("read ahead to {}: at most {} bytes of WAL came to {} bytes", position_,
                asked_bytes_, result_bytes_);
  chunk_bytes_ = NextChunkBytes(options_, asked_bytes_, result_bytes_);
  if (durable_.value > confirmed_.value + kConfirmBytes) Confirm();
  // How much to ask for depends on whether what is streamed was complete.
  if (!has_streamed_) Ask();
}

std::optional<ReadAhead::Message> ReadAhead::Next() {
  if (cursor_ == buffer_.size()) {
    buffer_.clear();
    cursor_ = 0;
    if (chunk_) TakePiece();
    if (buffer_.empty()) return std::nullopt;
  }
  const std::string_view left = std::string_view(buffer_).substr(cursor_);
  if (left.size() < kDataField) ThrowHalfRow(options_);
  const uint64_t bytes = BigEndian(left.substr(kDataField - 4, 4));
  if (left.size() - kDataField < bytes) ThrowHalfRow(options_);
  cursor_ += kDataField + bytes;
  return Message{.lsn = pg::Lsn{BigEndian(left.substr(kLsnField, 8))},
                 .payload = left.substr(kDataField, bytes)};
}

bool ReadAhead::Widen() {
  if (asked_bytes_ >= options_.chunk_bytes_max) return false;
  chunk_bytes_ = options_.chunk_bytes_max;
  return true;
}

void ReadAhead::Confirm() {
  if (durable_ <= confirmed_ || is_asked_ || chunk_) return;
  if (!MayAdvanceSlots(blue_->server_version())) return;
  blue_->Exec("SELECT pg_replication_slot_advance($1, $2)", {stream_.slot, durable_.ToString()});
  confirmed_ = durable_;
}

void ReadAhead::Close() {
  if (is_asked_) {
    // Blue would go on with a chunk that nobody wants.
    interrupt_.Raise();
    try {
      const pg::CopyOut unwanted(*blue_);
    } catch (const pg::Error& error) {
      spdlog::debug("a chunk was given up: {}", error.what());
    }
  }
  chunk_.reset();
  blue_.reset();
}

}  // namespace pgteal::pipeline
