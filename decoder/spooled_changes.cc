#include "decoder/spooled_changes.h"

#include <utility>
#include <variant>

namespace pgteal::decoder {
namespace {

// The order of announcements matters between the caches of a live stream only.
constexpr uint64_t kAnyOrder = 1;

}  // namespace

SpooledChanges::SpooledChanges(std::unique_ptr<MessageReader> log, SpooledState state)
    : log_(std::move(log)), state_(std::move(state)) {}

bool SpooledChanges::Next(size_t bytes_max, ChangeBlock* block) {
  // Not in the constructor: ending the log may write to disk, which the receiver must not wait for.
  if (!is_started_) Rewind();
  *block = ChangeBlock();
  pg::Lsn lsn;
  std::string_view message;
  while (block->changes.empty() || block->memory_bytes() < bytes_max) {
    if (!log_->Next(&lsn, &message)) break;
    Take(message, lsn, block);
  }
  return !block->changes.empty();
}

void SpooledChanges::Rewind() {
  log_->Rewind();
  relations_ = state_.relations;
  is_started_ = true;
}

void SpooledChanges::Take(std::string_view message, pg::Lsn lsn, ChangeBlock* block) {
  const DecodeState state{.protocol_version = state_.protocol_version,
                          .in_stream = state_.in_stream,
                          .relations = &relations_};
  if (IsChange(TypeOf(message))) {
    if (!state_.left_out.empty() && state_.left_out.contains(StreamedXid(message))) return;
    ChangeMessage decoded = DecodeChange(message, state, block);
    if (!BelongsToTransaction(decoded.change)) return;
    decoded.change.lsn = lsn;
    block->changes.push_back(decoded.change);
    return;
  }
  Message decoded = Decode(message, state, block);
  if (auto* relation = std::get_if<RelationMessage>(&decoded)) {
    relations_.Apply(std::move(relation->relation), kAnyOrder);
  } else if (const auto* type = std::get_if<TypeMessage>(&decoded)) {
    relations_.Apply(*type);
  }
}

}  // namespace pgteal::decoder
