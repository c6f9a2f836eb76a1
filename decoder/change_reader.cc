#include "decoder/change_reader.h"

#include <fmt/format.h>

#include <new>

#include "pg/error.h"

namespace pgteal::decoder {
namespace {

constexpr uint8_t kTruncateCascade = 1;
constexpr uint8_t kTruncateRestartIdentity = 2;
constexpr uint8_t kMessageTransactional = 1;

[[noreturn]] [[gnu::cold]] void ThrowUnknownRelation(pg::Oid oid) {
  throw pg::ProtocolError(
      fmt::format("change of relation oid {} that no Relation message has described", oid.value));
}

[[noreturn]] [[gnu::cold]] void ThrowColumnCount(const Relation& relation, uint32_t count) {
  throw pg::ProtocolError(fmt::format("tuple of {} columns for relation {}.{}, which has {}", count,
                                      relation.schema, relation.name, relation.columns.size()));
}

[[noreturn]] [[gnu::cold]] void ThrowUnexpected(std::string_view what, uint8_t byte) {
  throw pg::ProtocolError(fmt::format("unknown {}: byte 0x{:02X}", what, byte));
}

const Relation& ReadRelationOid(ByteReader& in, const DecodeState& state, ChangeBlock* block) {
  const pg::Oid oid = in.ReadOid();
  const Relation* relation = state.relations->Use(oid, block);
  if (relation == nullptr) [[unlikely]]
    ThrowUnknownRelation(oid);
  return *relation;
}

void ReadValue(ByteReader& in, ColumnValue* value) {
  const uint8_t kind = in.U8();
  switch (kind) {
    case 't':
    case 'b': {
      const uint32_t size = in.U32();
      value->data = in.Bytes(size).data();
      value->size = size;
      break;
    }
    case 'n':
    case 'u':
      value->data = nullptr;
      value->size = 0;
      break;
    default:
      ThrowUnexpected("kind of column value", kind);
  }
  value->kind = static_cast<ValueKind>(kind);
}

Tuple ReadTuple(ByteReader& in, const Relation& relation, Arena* arena) {
  const uint32_t count = in.U16();
  if (count != relation.columns.size()) [[unlikely]]
    ThrowColumnCount(relation, count);
  auto* values = arena->AllocateArray<ColumnValue>(count);
  for (uint32_t i = 0; i < count; ++i) ReadValue(in, &values[i]);
  return {.values = values, .count = count};
}

// 'K' or 'O' and the tuple after it.
void ReadOldTuple(ByteReader& in, uint8_t mark, Arena* arena, Change* change) {
  change->old_kind = mark == 'K' ? OldTuple::kKey : OldTuple::kFull;
  change->old_tuple = ReadTuple(in, *change->relation, arena);
}

}  // namespace

Change ReadInsert(ByteReader& in, const DecodeState& state, ChangeBlock* block) {
  Change change;
  change.kind = ChangeKind::kInsert;
  change.relation = &ReadRelationOid(in, state, block);
  const uint8_t mark = in.U8();
  if (mark != 'N') [[unlikely]]
    ThrowUnexpected("tuple mark", mark);
  change.new_tuple = ReadTuple(in, *change.relation, &block->arena);
  return change;
}

Change ReadUpdate(ByteReader& in, const DecodeState& state, ChangeBlock* block) {
  Change change;
  change.kind = ChangeKind::kUpdate;
  change.relation = &ReadRelationOid(in, state, block);
  uint8_t mark = in.U8();
  if (mark == 'K' || mark == 'O') {
    ReadOldTuple(in, mark, &block->arena, &change);
    mark = in.U8();
  }
  if (mark != 'N') [[unlikely]]
    ThrowUnexpected("tuple mark", mark);
  change.new_tuple = ReadTuple(in, *change.relation, &block->arena);
  return change;
}

Change ReadDelete(ByteReader& in, const DecodeState& state, ChangeBlock* block) {
  Change change;
  change.kind = ChangeKind::kDelete;
  change.relation = &ReadRelationOid(in, state, block);
  const uint8_t mark = in.U8();
  if (mark != 'K' && mark != 'O') [[unlikely]]
    ThrowUnexpected("tuple mark", mark);
  ReadOldTuple(in, mark, &block->arena, &change);
  return change;
}

Change ReadTruncate(ByteReader& in, const DecodeState& state, ChangeBlock* block) {
  Change change;
  change.kind = ChangeKind::kTruncate;
  const uint32_t count = in.U32();
  const uint8_t options = in.U8();
  if ((options & ~(kTruncateCascade | kTruncateRestartIdentity)) != 0)
    ThrowUnexpected("TRUNCATE option", options);
  change.truncate_options.cascade = (options & kTruncateCascade) != 0;
  change.truncate_options.restart_identity = (options & kTruncateRestartIdentity) != 0;
  // Before anything is allocated: the count is only a claim.
  if (in.left() / sizeof(uint32_t) < count) in.Bytes(size_t{count} * sizeof(uint32_t));
  auto** relations = block->arena.AllocateArray<const Relation*>(count);
  for (uint32_t i = 0; i < count; ++i) relations[i] = &ReadRelationOid(in, state, block);
  change.truncated = relations;
  change.truncated_count = count;
  return change;
}

Change ReadLogicalMessage(ByteReader& in, ChangeBlock* block) {
  const uint8_t flags = in.U8();
  if ((flags & ~kMessageTransactional) != 0) ThrowUnexpected("flag of a logical message", flags);
  LogicalMessage message;
  message.transactional = (flags & kMessageTransactional) != 0;
  message.lsn = in.ReadLsn();
  message.prefix = in.CString();
  message.content = in.Bytes(in.U32());
  Change change;
  change.kind = ChangeKind::kMessage;
  change.message = new (block->arena.Allocate(sizeof(LogicalMessage))) LogicalMessage(message);
  return change;
}

}  // namespace pgteal::decoder
