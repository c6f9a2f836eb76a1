#include "pg/copy.h"

#include <libpq-fe.h>

#include <utility>

#include "pg/error.h"

namespace pgteal::pg {
namespace {

// COPY sends a message a row; larger writes cost fewer system calls, and small ones let the other
// side begin sooner.
constexpr size_t kPipeBytes = 64 << 10;

void RequireCopyOut(const Result& result) {
  if (PQresultStatus(result.get()) == PGRES_COPY_OUT) return;
  throw ProtocolError("the server did not begin COPY TO STDOUT");
}

}  // namespace

CopyIn::CopyIn(Connection& connection, const std::string& sql) : connection_(connection) {
  const Result result = connection_.Exec(sql);
  if (PQresultStatus(result.get()) != PGRES_COPY_IN) {
    throw ProtocolError("the server did not begin COPY FROM STDIN");
  }
}

CopyIn::~CopyIn() {
  if (!is_open_ || connection_.is_broken()) return;
  try {
    // Not taken: the COPY ends with the connection, which nobody may go on using.
    if (PQputCopyEnd(connection_.get(), "abandoned") < 0) return;
    connection_.Flush();
    while (connection_.NextResult(std::nullopt).get() != nullptr) {
    }
  } catch (const Error&) {
    // The connection is gone or the process is stopping; either way nothing of the COPY is kept.
  }
}

void CopyIn::Write(std::string_view bytes) {
  while (true) {
    const int sent = PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (sent < 0) connection_.ThrowLost();
    connection_.Flush();
    if (sent == 1) return;
  }
}

void CopyIn::Keep(std::string_view bytes) {
  if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
    connection_.ThrowLost();
  }
}

bool CopyIn::Push() {
  const int left = PQflush(connection_.get());
  if (left < 0) connection_.ThrowLost();
  return left > 0;
}

uint64_t CopyIn::Finish() {
  while (true) {
    const int sent = PQputCopyEnd(connection_.get(), nullptr);
    if (sent < 0) connection_.ThrowLost();
    connection_.Flush();
    if (sent == 1) break;
  }
  is_open_ = false;
  const Result result = connection_.NextResult(std::nullopt);
  while (connection_.NextResult(std::nullopt).get() != nullptr) {
  }
  if (result.get() == nullptr) connection_.ThrowLost();
  connection_.ThrowIfError(result);
  return result.affected_rows();
}

CopyOut::CopyOut(Connection& connection, const std::string& sql) : connection_(connection) {
  RequireCopyOut(connection_.Exec(sql));
}

void CopyOut::Ask(Connection& connection, const std::string& sql) {
  if (PQsendQuery(connection.get(), sql.c_str()) != 1) connection.ThrowLost();
  connection.Flush();
}

CopyOut::CopyOut(Connection& connection) : connection_(connection) {
  const Result result = connection_.NextResult(std::nullopt);
  if (PQresultStatus(result.get()) == PGRES_COPY_OUT) return;
  if (result.get() == nullptr) connection_.ThrowLost();
  while (connection_.NextResult(std::nullopt).get() != nullptr) {
  }
  connection_.ThrowIfError(result);
  RequireCopyOut(result);
}

CopyOut::~CopyOut() { PQfreemem(chunk_); }

std::optional<std::string_view> CopyOut::Next() {
  Step step = TryNext();
  while (step == Step::kNothingYet) {
    connection_.Wait(false, std::nullopt);
    if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
    step = TryNext();
  }
  if (step == Step::kEnd) return std::nullopt;
  return chunk();
}

CopyOut::Step CopyOut::Poll() {
  const Step step = TryNext();
  if (step != Step::kNothingYet) return step;
  if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
  return TryNext();
}

CopyOut::Step CopyOut::TryNext() {
  PQfreemem(chunk_);
  chunk_ = nullptr;
  const int bytes = PQgetCopyData(connection_.get(), &chunk_, 1);
  if (bytes == 0) return Step::kNothingYet;
  if (bytes < -1) connection_.ThrowLost();
  if (bytes > 0) {
    chunk_bytes_ = static_cast<size_t>(bytes);
    return Step::kChunk;
  }
  const Result result = connection_.NextResult(std::nullopt);
  while (connection_.NextResult(std::nullopt).get() != nullptr) {
  }
  if (result.get() == nullptr) connection_.ThrowLost();
  connection_.ThrowIfError(result);
  rows_ = result.affected_rows();
  return Step::kEnd;
}

CopyPipe::CopyPipe(CopyOut& from, CopyIn& to, std::function<void(size_t)> on_bytes)
    : from_(from), to_(to), on_bytes_(std::move(on_bytes)) {
  buffer_.reserve(2 * kPipeBytes);
}

void CopyPipe::Run() {
  auto step = CopyOut::Step::kChunk;
  const auto is_at_end = [&step] { return step == CopyOut::Step::kEnd; };
  while (!is_at_end() || !buffer_.empty()) {
    if (!is_at_end()) step = Fill();
    if (!is_pending_ && !buffer_.empty()) Send();
    if (is_pending_) is_pending_ = to_.Push();
    const bool is_dry = step == CopyOut::Step::kNothingYet;
    // What libpq has read already makes no socket readable: unless it is dry, it is asked first.
    const bool has_more = !is_dry && !is_at_end() && buffer_.empty();
    if (!has_more && (is_dry || is_pending_)) Wait(is_dry, is_pending_);
  }
}

// What is there, up to a buffer: kChunk when there may be more.
CopyOut::Step CopyPipe::Fill() {
  auto step = CopyOut::Step::kChunk;
  while (buffer_.size() < kPipeBytes && step == CopyOut::Step::kChunk) {
    step = from_.TryNext();
    if (step == CopyOut::Step::kChunk) buffer_.append(from_.chunk());
  }
  return step;
}

void CopyPipe::Send() {
  to_.Keep(buffer_);
  is_pending_ = true;
  on_bytes_(buffer_.size());
  buffer_.clear();
}

void CopyPipe::Wait(bool reads, bool writes) {
  auto& from = from_.connection_;
  auto& to = to_.connection_;
  const auto readable = from.WaitWith(reads, to, writes);
  if (readable.own && PQconsumeInput(from.get()) != 1) from.ThrowLost();
  // A notice, or the reason why it takes no more: Finish() looks at it.
  if (readable.other && PQconsumeInput(to.get()) != 1) to.ThrowLost();
}

}  // namespace pgteal::pg
