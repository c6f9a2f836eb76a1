#include "decoder/open_transaction.h"

#include <fmt/format.h>

#include <utility>

#include "decoder/pgoutput.h"
#include "decoder/spooled_changes.h"
#include "pg/error.h"

namespace pgteal::decoder {
namespace {

// Most transactions are not larger: one allocation each instead of four growing ones.
constexpr size_t kUsualChanges = 8;

}  // namespace

OpenTransaction::OpenTransaction(const Begin& begin, Limits limits, RelationCache* relations,
                                 MessageLogs* logs)
    : limits_(limits),
      relations_(relations),
      logs_(logs),
      transaction_(std::make_unique<Transaction>()) {
  transaction_->xid = begin.xid;
  transaction_->commit_lsn = begin.final_lsn;
  transaction_->commit_time = begin.commit_time;
  transaction_->block.changes.reserve(kUsualChanges);
  transaction_->block.relations.reserve(kUsualChanges);
  messages_.reserve(kUsualChanges);
}

bool OpenTransaction::AddChange(RawMessage message) {
  if (log_ != nullptr) {
    log_->Append(message.lsn, message.bytes);
    if (TypeOf(message.bytes) != MessageType::kMessage) ++transaction_->change_count;
    return true;
  }
  ChangeBlock& block = transaction_->block;
  const DecodeState state{.protocol_version = limits_.protocol_version, .relations = relations_};
  ChangeMessage decoded = DecodeChange(message.bytes, state, &block);
  if (!BelongsToTransaction(decoded.change)) return false;
  decoded.change.lsn = message.lsn;
  block.changes.push_back(decoded.change);
  messages_.push_back({.bytes = decoded.raw, .lsn = message.lsn});
  if (decoded.change.kind != ChangeKind::kMessage) ++transaction_->change_count;
  if (block.memory_bytes() + messages_.size() * sizeof(RawMessage) > limits_.memory_bytes_max)
    MoveToLog();
  return true;
}

void OpenTransaction::AddRelation(RawMessage message, Relation relation, uint64_t order) {
  auto replaced = relations_->Apply(std::move(relation), order);
  if (log_ == nullptr && replaced != nullptr) replaced_.push_back(std::move(replaced));
  AddOther(message);
}

void OpenTransaction::AddType(RawMessage message, const TypeMessage& type) {
  relations_->Apply(type);
  AddOther(message);
}

std::unique_ptr<Transaction> OpenTransaction::Finish(const Commit& commit) {
  if (commit.commit_lsn != transaction_->commit_lsn) {
    throw pg::ProtocolError(fmt::format("Commit at {} of a transaction whose Begin said {}",
                                        commit.commit_lsn, transaction_->commit_lsn));
  }
  transaction_->end_lsn = commit.end_lsn;
  transaction_->commit_time = commit.commit_time;
  if (log_ != nullptr) {
    SpooledState state{.protocol_version = limits_.protocol_version,
                       .relations = std::move(relations_before_),
                       .left_out = {}};
    transaction_->source = std::make_unique<SpooledChanges>(std::move(log_), std::move(state));
  }
  return std::move(transaction_);
}

void OpenTransaction::AddOther(RawMessage message) {
  if (log_ != nullptr) {
    log_->Append(message.lsn, message.bytes);
    return;
  }
  const std::string_view copy = transaction_->block.arena.Copy(message.bytes);
  messages_.push_back({.bytes = copy, .lsn = message.lsn});
}

void OpenTransaction::MoveToLog() {
  log_ = logs_->Open(transaction_->xid);
  for (const RawMessage& message : messages_) log_->Append(message.lsn, message.bytes);
  relations_before_ = *relations_;
  while (!replaced_.empty()) {
    relations_before_.Restore(std::move(replaced_.back()));
    replaced_.pop_back();
  }
  messages_ = {};
  transaction_->block = ChangeBlock();
}

}  // namespace pgteal::decoder
