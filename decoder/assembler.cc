#include "decoder/assembler.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "decoder/pgoutput.h"
#include "pg/error.h"

namespace pgteal::decoder {
namespace {

// The first version that has streamed transactions.
constexpr int kStreamingVersion = 2;

[[noreturn]] void ThrowOutOfOrder(MessageType type, std::string_view where) {
  throw pg::ProtocolError(fmt::format("message {} {}", NameOf(type), where));
}

[[noreturn]] void ThrowTwoPhase(MessageType type) {
  throw pg::ProtocolError(
      fmt::format("message {}: the replication slot was created with two_phase", NameOf(type)),
      "Drop the slot and create it again without two_phase.");
}

}  // namespace

Assembler::Assembler(AssemblerOptions options, MessageLogs& logs, EarlyApply* early_apply)
    : options_(options), logs_(logs), early_apply_(early_apply) {}

std::unique_ptr<Transaction> Assembler::Feed(std::string_view message, pg::Lsn lsn) {
  const RawMessage raw{.bytes = message, .lsn = lsn};
  if (IsChange(TypeOf(message))) {
    AddChange(raw);
    return nullptr;
  }
  const DecodeState state{.protocol_version = options_.protocol_version,
                          .in_stream = stream_ != nullptr,
                          .relations = &relations_};
  Message decoded = Decode(message, state, nullptr);
  return std::visit([this, raw](auto& typed) { return On(raw, typed); }, decoded);
}

void Assembler::Restart() {
  open_.reset();
  stream_ = nullptr;
  for (auto& [xid, transaction] : streamed_) transaction.AbandonEarly();
  streamed_.clear();
  early_.reset();
}

void Assembler::AddChange(RawMessage raw) {
  if (stream_ != nullptr) {
    stream_->AddChange(raw);
    OfferStream();
  } else if (!open_.has_value()) {
    DropMessageOutside(raw);
  } else if (!open_->AddChange(raw)) {
    ++dropped_message_count_;
  }
}

void Assembler::OfferStream() {
  if (early_apply_ == nullptr || !stream_->MayBeginEarly(options_.early_bytes_min)) return;
  if (!early_apply_->WantsOne()) return;
  auto early =
      stream_->BeginEarly(*early_apply_, stream_xid_, options_.protocol_version, completed_lsn_);
  if (early != nullptr) early_ = std::move(early);
}

// What comes of the early one from now on may rest on this one.
Assembler::Completed Assembler::Complete(Completed transaction) {
  completed_lsn_ = transaction->end_lsn;
  if (early_ != nullptr && early_ == transaction->early) early_.reset();
  if (early_ != nullptr) early_->MoveFence(completed_lsn_);
  return transaction;
}

void Assembler::DropMessageOutside(RawMessage raw) {
  const MessageType type = TypeOf(raw.bytes);
  if (type != MessageType::kMessage) ThrowOutOfOrder(type, "outside a transaction");
  ChangeBlock scratch;
  const ChangeMessage message = DecodeChange(raw.bytes, DecodeState(), &scratch);
  if (BelongsToTransaction(message.change)) ThrowOutOfOrder(type, "outside a transaction");
  ++dropped_message_count_;
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, Begin& message) {
  if (in_transaction()) ThrowOutOfOrder(MessageType::kBegin, "inside a transaction");
  const OpenTransaction::Limits limits{.protocol_version = options_.protocol_version,
                                       .memory_bytes_max = options_.memory_bytes_max};
  open_.emplace(message, limits, &relations_, &logs_);
  return nullptr;
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, Commit& message) {
  if (!open_.has_value()) ThrowOutOfOrder(MessageType::kCommit, "without Begin");
  Completed completed = open_->Finish(message);
  open_.reset();
  return Complete(std::move(completed));
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, Origin& message) {
  if (stream_ != nullptr) {
    stream_->SetOrigin(message.name);
  } else if (open_.has_value()) {
    open_->SetOrigin(message.name);
  } else {
    ThrowOutOfOrder(MessageType::kOrigin, "outside a transaction");
  }
  return nullptr;
}

Assembler::Completed Assembler::On(RawMessage raw, RelationMessage& message) {
  const uint64_t order = ++announcement_count_;
  if (stream_ != nullptr) {
    stream_->AddRelation(raw, std::move(message.relation), order);
  } else if (open_.has_value()) {
    open_->AddRelation(raw, std::move(message.relation), order);
  } else {
    ThrowOutOfOrder(MessageType::kRelation, "outside a transaction");
  }
  return nullptr;
}

Assembler::Completed Assembler::On(RawMessage raw, TypeMessage& message) {
  if (stream_ != nullptr) {
    stream_->AddType(raw, message);
  } else if (open_.has_value()) {
    open_->AddType(raw, message);
  } else {
    ThrowOutOfOrder(MessageType::kType, "outside a transaction");
  }
  return nullptr;
}

// Feed gives changes to AddChange; this one completes the visit.
Assembler::Completed Assembler::On(RawMessage raw, ChangeMessage& /*message*/) {
  AddChange(raw);
  return nullptr;
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, StreamStart& message) {
  if (options_.protocol_version < kStreamingVersion)
    ThrowOutOfOrder(MessageType::kStreamStart, "in protocol version 1");
  if (in_transaction()) ThrowOutOfOrder(MessageType::kStreamStart, "inside a transaction");
  stream_ = &OpenStream(message);
  stream_xid_ = message.xid;
  return nullptr;
}

StreamedTransaction& Assembler::OpenStream(const StreamStart& start) {
  const auto found = streamed_.find(start.xid);
  const bool is_known = found != streamed_.end();
  if (is_known && start.first_segment)
    ThrowOutOfOrder(MessageType::kStreamStart, "begins a transaction that is open already");
  if (!is_known && !start.first_segment)
    ThrowOutOfOrder(MessageType::kStreamStart, "goes on with a transaction that was never begun");
  if (is_known) return found->second;
  StreamedTransaction opened(logs_.Open(start.xid), relations_.Unannounced());
  return streamed_.emplace(start.xid, std::move(opened)).first->second;
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, StreamStop& /*message*/) {
  if (stream_ == nullptr) ThrowOutOfOrder(MessageType::kStreamStop, "without Stream Start");
  stream_ = nullptr;
  return nullptr;
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, StreamCommit& message) {
  if (in_transaction()) ThrowOutOfOrder(MessageType::kStreamCommit, "inside a transaction");
  auto node = streamed_.extract(message.xid);
  if (node.empty())
    ThrowOutOfOrder(MessageType::kStreamCommit, "of a transaction that was never begun");
  StreamedTransaction& transaction = node.mapped();
  relations_.MergeFrom(transaction.relations());
  return Complete(std::move(transaction).Finish(message, options_.protocol_version));
}

Assembler::Completed Assembler::On(RawMessage /*raw*/, StreamAbort& message) {
  const auto found = streamed_.find(message.xid);
  // PostgreSQL 18 may report the end of a transaction it has never streamed.
  if (found == streamed_.end()) return nullptr;
  if (in_transaction()) ThrowOutOfOrder(MessageType::kStreamAbort, "inside a transaction");
  if (message.subxid == message.xid) {
    found->second.AbandonEarly();
    if (early_ != nullptr && early_->xid() == message.xid) early_.reset();
    streamed_.erase(found);
  } else {
    found->second.RollBack(message.subxid);
  }
  return nullptr;
}

Assembler::Completed Assembler::On(RawMessage raw, PreparedFields& /*message*/) {
  ThrowTwoPhase(TypeOf(raw.bytes));
}

Assembler::Completed Assembler::On(RawMessage raw, RollbackPrepared& /*message*/) {
  ThrowTwoPhase(TypeOf(raw.bytes));
}

}  // namespace pgteal::decoder
