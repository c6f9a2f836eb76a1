#include "pg/pipelined.h"

#include <libpq-fe.h>

namespace pgteal::pg {

void Params::Clear() {
  values_.clear();
  lengths_.clear();
  formats_.clear();
  bytes_ = 0;
}

void Params::AddNull() {
  values_.push_back(nullptr);
  lengths_.push_back(0);
  formats_.push_back(0);
}

void Params::AddText(std::string_view text) {
  values_.push_back(text.data());
  lengths_.push_back(static_cast<int>(text.size()));
  formats_.push_back(0);
  bytes_ += text.size();
}

void Params::AddBinary(std::string_view bytes) {
  // An empty value is not NULL: the pointer must not be null.
  values_.push_back(bytes.data() == nullptr ? "" : bytes.data());
  lengths_.push_back(static_cast<int>(bytes.size()));
  formats_.push_back(1);
  bytes_ += bytes.size();
}

void Pipelined::Enter() {
  if (answers_are_read_) {
    answers_.clear();
    answers_are_read_ = false;
  }
  if (is_open_) return;
  if (PQenterPipelineMode(connection_.get()) != 1) connection_.ThrowLost();
  is_open_ = true;
}

size_t Pipelined::Sent(int ok, size_t bytes) {
  if (ok != 1) connection_.ThrowLost();
  unflushed_bytes_ += bytes + 32;
  if (unflushed_bytes_ >= kFlushBytes) Pump();
  return sent_++;
}

size_t Pipelined::SendPrepare(const std::string& name, const std::string& sql,
                              const std::vector<Oid>& types) {
  static_assert(sizeof(Oid) == sizeof(::Oid));
  Enter();
  std::vector<::Oid> raw;
  raw.reserve(types.size());
  for (const Oid type : types) raw.push_back(type.value);
  return Sent(PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(),
                            static_cast<int>(raw.size()), raw.data()),
              sql.size());
}

size_t Pipelined::SendPrepared(const std::string& name, const Params& params) {
  Enter();
  return Sent(
      PQsendQueryPrepared(connection_.get(), name.c_str(), params.count(), params.values_.data(),
                          params.lengths_.data(), params.formats_.data(), 0),
      params.bytes());
}

size_t Pipelined::SendSql(const std::string& sql) { return SendSql(sql, Params()); }

size_t Pipelined::SendSql(const std::string& sql, const Params& params) {
  Enter();
  return Sent(
      PQsendQueryParams(connection_.get(), sql.c_str(), params.count(), nullptr,
                        params.values_.data(), params.lengths_.data(), params.formats_.data(), 0),
      sql.size() + params.bytes());
}

void Pipelined::Flush() {
  if (!is_open_) return;
  if (PQsendFlushRequest(connection_.get()) != 1) connection_.ThrowLost();
  Pump();
}

void Pipelined::RequestAnswers() {
  if (is_open_ && PQsendFlushRequest(connection_.get()) != 1) connection_.ThrowLost();
}

const std::vector<Answer>& Pipelined::Await(size_t count) {
  Pump();
  while (answers_.size() < count && !failure_) {
    if (PQisBusy(connection_.get()) == 1) {
      connection_.Wait(false, std::nullopt);
      if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
    } else {
      CollectOne();
    }
  }
  return answers_;
}

void Pipelined::Pump() {
  connection_.Flush();
  unflushed_bytes_ = 0;
  if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
  Collect();
}

// Takes every answer that is complete, without waiting.
void Pipelined::Collect() {
  while (PQisBusy(connection_.get()) == 0) {
    if (!CollectOne()) return;
  }
}

// One step through libpq's answers: result, null, result, null …, sync. False when there is nothing
// left to take: two nulls in a row.
bool Pipelined::CollectOne() {
  const Result result(PQgetResult(connection_.get()));
  if (result.get() == nullptr) {
    const bool ended_a_result = is_inside_result_;
    is_inside_result_ = false;
    return ended_a_result;
  }
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_PIPELINE_SYNC) {
    --syncs_;
    return syncs_ > 0;
  }
  is_inside_result_ = true;
  Answer answer{.affected_rows = result.affected_rows(), .first_value = std::nullopt};
  if (status == PGRES_TUPLES_OK && result.rows() > 0) answer.first_value = result.Optional(0, 0);
  if (status == PGRES_FATAL_ERROR && !failure_) {
    try {
      connection_.ThrowIfError(result);
    } catch (const ServerError& error) {
      failure_.emplace(error, answers_.size());
    }
  }
  answers_.push_back(std::move(answer));
  return true;
}

const std::vector<Answer>& Pipelined::Finish() {
  if (is_open_ && sent_ > 0) {
    if (PQpipelineSync(connection_.get()) != 1) connection_.ThrowLost();
    ++syncs_;
    Pump();
    while (syncs_ > 0) {
      if (PQisBusy(connection_.get()) == 1) {
        connection_.Wait(false, std::nullopt);
        if (PQconsumeInput(connection_.get()) != 1) connection_.ThrowLost();
      } else {
        CollectOne();
      }
    }
  }
  sent_ = 0;
  answers_are_read_ = true;
  if (failure_) {
    const StatementFailed failure = *failure_;
    failure_.reset();
    throw failure;
  }
  return answers_;
}

void Pipelined::Leave() {
  Finish();
  if (!is_open_) return;
  if (PQexitPipelineMode(connection_.get()) != 1) connection_.ThrowLost();
  is_open_ = false;
}

}  // namespace pgteal::pg
