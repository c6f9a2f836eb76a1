#include "pg/copy.h"

#include <libpq-fe.h>

#include "pg/error.h"

namespace pgteal::pg {
namespace {

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
  PQfreemem(chunk_);
  chunk_ = nullptr;
  int bytes = PQgetCopyData(connection_.get(), &chunk_, 1);
  while (bytes == 0) {
    connection_.Wait(false, std::nullopt);
    if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
    bytes = PQgetCopyData(connection_.get(), &chunk_, 1);
  }
  if (bytes > 0) return std::string_view(chunk_, static_cast<size_t>(bytes));
  if (bytes < -1) connection_.ThrowLost();
  const Result result = connection_.NextResult(std::nullopt);
  while (connection_.NextResult(std::nullopt).get() != nullptr) {
  }
  if (result.get() == nullptr) connection_.ThrowLost();
  connection_.ThrowIfError(result);
  rows_ = result.affected_rows();
  return std::nullopt;
}

}  // namespace pgteal::pg
