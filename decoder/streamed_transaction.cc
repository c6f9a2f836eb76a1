#include "decoder/streamed_transaction.h"

#include <fmt/format.h>

#include <utility>

#include "decoder/pgoutput.h"
#include "decoder/spooled_changes.h"
#include "pg/error.h"

namespace pgteal::decoder {
namespace {

// Leaving the change out would lose it should the rollback be the wrong one of the two.
[[noreturn]] void ThrowRolledBack(pg::Xid xid) {
  throw pg::ProtocolError(
      fmt::format("change of subtransaction {}, which was rolled back before", xid.value));
}

}  // namespace

StreamedTransaction::StreamedTransaction(std::unique_ptr<MessageLog> log, RelationCache relations)
    : log_(std::move(log)), relations_(std::move(relations)) {}

void StreamedTransaction::AddChange(RawMessage message) {
  const pg::Xid xid = StreamedXid(message.bytes);
  if (!rolled_back_.empty() && rolled_back_.contains(xid)) ThrowRolledBack(xid);
  change_counts_[xid] += TypeOf(message.bytes) == MessageType::kMessage ? 0 : 1;
  log_->Append(message.lsn, message.bytes);
  bytes_ += message.bytes.size();
}

void StreamedTransaction::AddRelation(RawMessage message, Relation relation, uint64_t order) {
  relations_.Apply(std::move(relation), order);
  log_->Append(message.lsn, message.bytes);
}

void StreamedTransaction::AddType(RawMessage message, const TypeMessage& type) {
  relations_.Apply(type);
  log_->Append(message.lsn, message.bytes);
}

void StreamedTransaction::RollBack(pg::Xid subxid) {
  if (change_counts_.erase(subxid) == 0) return;
  rolled_back_.insert(subxid);
  AbandonEarly();  // what it has applied cannot be taken back alone
}

std::shared_ptr<EarlyTransaction> StreamedTransaction::BeginEarly(EarlyApply& apply, pg::Xid xid,
                                                                  int protocol_version,
                                                                  pg::Lsn fence) {
  auto tail = log_->Follow();
  if (tail == nullptr) return nullptr;
  was_offered_ = true;
  SpooledState state{.protocol_version = protocol_version,
                     .in_stream = true,
                     .relations = relations_.Unannounced(),
                     .left_out = rolled_back_};
  early_ = apply.Begin(xid, std::move(tail), std::move(state), fence);
  return early_;
}

void StreamedTransaction::AbandonEarly() noexcept {
  if (early_ != nullptr) early_->Abandon();
}

std::unique_ptr<Transaction> StreamedTransaction::Finish(const StreamCommit& commit,
                                                         int protocol_version) && {
  auto transaction = std::make_unique<Transaction>();
  transaction->xid = commit.xid;
  transaction->commit_lsn = commit.commit_lsn;
  transaction->end_lsn = commit.end_lsn;
  transaction->commit_time = commit.commit_time;
  transaction->origin = std::move(origin_);
  for (const auto& [xid, count] : change_counts_) transaction->change_count += count;
  if (early_ != nullptr) log_->Seal();
  transaction->early = std::move(early_);
  SpooledState state{.protocol_version = protocol_version,
                     .in_stream = true,
                     .relations = relations_.Unannounced(),
                     .left_out = std::move(rolled_back_)};
  transaction->source = std::make_unique<SpooledChanges>(std::move(log_), std::move(state));
  return transaction;
}

}  // namespace pgteal::decoder
