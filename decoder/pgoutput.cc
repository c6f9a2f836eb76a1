#include "decoder/pgoutput.h"

#include <fmt/format.h>

#include "decoder/byte_reader.h"
#include "decoder/change_reader.h"
#include "pg/error.h"

namespace pgteal::decoder {
namespace {

constexpr size_t kTypeBytes = 1;
constexpr uint8_t kColumnIsKey = 1;
// Since this version a Stream Abort may say where and when.
constexpr int kAbortInfoVersion = 4;

std::optional<pg::Xid> ReadStreamedXid(ByteReader& in, const DecodeState& state) {
  if (!state.in_stream) return std::nullopt;
  return in.ReadXid();
}

// A byte of flags that no version uses: another value means something we do not understand.
void ReadUnusedFlags(ByteReader& in) {
  const uint8_t flags = in.U8();
  if (flags != 0) throw pg::ProtocolError(fmt::format("unknown flags: byte 0x{:02X}", flags));
}

ReplicaIdentity ReadIdentity(ByteReader& in) {
  const uint8_t byte = in.U8();
  switch (byte) {
    case 'd':
    case 'n':
    case 'f':
    case 'i':
      return static_cast<ReplicaIdentity>(byte);
  }
  throw pg::ProtocolError(fmt::format("unknown replica identity: byte 0x{:02X}", byte));
}

Begin ReadBegin(ByteReader& in) {
  Begin begin;
  begin.final_lsn = in.ReadLsn();
  begin.commit_time = in.ReadTimestamp();
  begin.xid = in.ReadXid();
  return begin;
}

Commit ReadCommit(ByteReader& in) {
  ReadUnusedFlags(in);
  Commit commit;
  commit.commit_lsn = in.ReadLsn();
  commit.end_lsn = in.ReadLsn();
  commit.commit_time = in.ReadTimestamp();
  return commit;
}

Origin ReadOrigin(ByteReader& in) {
  Origin origin;
  origin.commit_lsn = in.ReadLsn();
  origin.name = in.CString();
  return origin;
}

Column ReadColumn(ByteReader& in) {
  Column column;
  column.is_key = (in.U8() & kColumnIsKey) != 0;
  column.name = in.CString();
  column.type = in.ReadOid();
  column.typmod = static_cast<int32_t>(in.U32());
  return column;
}

// The server sends nothing for the schema that every session searches first.
std::string ReadSchema(ByteReader& in) {
  const std::string_view schema = in.CString();
  return std::string(schema.empty() ? "pg_catalog" : schema);
}

RelationMessage ReadRelation(ByteReader& in, const DecodeState& state) {
  RelationMessage message;
  message.xid = ReadStreamedXid(in, state);
  Relation& relation = message.relation;
  relation.oid = in.ReadOid();
  relation.schema = ReadSchema(in);
  relation.name = in.CString();
  relation.identity = ReadIdentity(in);
  const uint16_t count = in.U16();
  for (uint16_t i = 0; i < count; ++i) {
    relation.columns.push_back(ReadColumn(in));
    if (relation.columns.back().is_key) relation.key_columns.push_back(i);
  }
  return message;
}

TypeMessage ReadType(ByteReader& in, const DecodeState& state) {
  TypeMessage type;
  type.xid = ReadStreamedXid(in, state);
  type.oid = in.ReadOid();
  type.schema = ReadSchema(in);
  type.name = in.CString();
  return type;
}

StreamStart ReadStreamStart(ByteReader& in) {
  StreamStart start;
  start.xid = in.ReadXid();
  start.first_segment = in.U8() != 0;
  return start;
}

StreamCommit ReadStreamCommit(ByteReader& in) {
  StreamCommit commit;
  commit.xid = in.ReadXid();
  ReadUnusedFlags(in);
  commit.commit_lsn = in.ReadLsn();
  commit.end_lsn = in.ReadLsn();
  commit.commit_time = in.ReadTimestamp();
  return commit;
}

StreamAbort ReadStreamAbort(ByteReader& in, const DecodeState& state) {
  StreamAbort abort;
  abort.xid = in.ReadXid();
  abort.subxid = in.ReadXid();
  // Which of the two forms it is depends on the streaming option, which the message does not tell.
  if (state.protocol_version >= kAbortInfoVersion && in.left() > 0) {
    abort.abort_lsn = in.ReadLsn();
    abort.abort_time = in.ReadTimestamp();
  }
  return abort;
}

template <typename T>
T ReadPreparedFields(ByteReader& in) {
  T message;
  message.lsn = in.ReadLsn();
  message.end_lsn = in.ReadLsn();
  message.time = in.ReadTimestamp();
  message.xid = in.ReadXid();
  message.gid = in.CString();
  return message;
}

template <typename T>
T ReadFlagsAndPreparedFields(ByteReader& in) {
  ReadUnusedFlags(in);
  return ReadPreparedFields<T>(in);
}

RollbackPrepared ReadRollbackPrepared(ByteReader& in) {
  ReadUnusedFlags(in);
  RollbackPrepared message;
  message.prepare_end_lsn = in.ReadLsn();
  message.rollback_end_lsn = in.ReadLsn();
  message.prepare_time = in.ReadTimestamp();
  message.rollback_time = in.ReadTimestamp();
  message.xid = in.ReadXid();
  message.gid = in.CString();
  return message;
}

[[noreturn]] void ThrowUnknownType(MessageType type) {
  throw pg::ProtocolError(
      fmt::format("unknown message type: byte 0x{:02X}", static_cast<uint8_t>(type)));
}

// Everything that does not become a Change.
Message ReadControl(MessageType type, ByteReader& in, const DecodeState& state) {
  switch (type) {
    case MessageType::kBegin:
      return ReadBegin(in);
    case MessageType::kCommit:
      return ReadCommit(in);
    case MessageType::kOrigin:
      return ReadOrigin(in);
    case MessageType::kRelation:
      return ReadRelation(in, state);
    case MessageType::kType:
      return ReadType(in, state);
    case MessageType::kStreamStart:
      return ReadStreamStart(in);
    case MessageType::kStreamStop:
      return StreamStop();
    case MessageType::kStreamCommit:
      return ReadStreamCommit(in);
    case MessageType::kStreamAbort:
      return ReadStreamAbort(in, state);
    case MessageType::kBeginPrepare:
      return ReadPreparedFields<BeginPrepare>(in);
    case MessageType::kPrepare:
      return ReadFlagsAndPreparedFields<Prepare>(in);
    case MessageType::kCommitPrepared:
      return ReadFlagsAndPreparedFields<CommitPrepared>(in);
    case MessageType::kRollbackPrepared:
      return ReadRollbackPrepared(in);
    case MessageType::kStreamPrepare:
      return ReadFlagsAndPreparedFields<StreamPrepare>(in);
    default:
      ThrowUnknownType(type);
  }
}

Change ReadChange(MessageType type, ByteReader& in, const DecodeState& state, ChangeBlock* block) {
  switch (type) {
    case MessageType::kInsert:
      return ReadInsert(in, state, block);
    case MessageType::kUpdate:
      return ReadUpdate(in, state, block);
    case MessageType::kDelete:
      return ReadDelete(in, state, block);
    case MessageType::kTruncate:
      return ReadTruncate(in, state, block);
    case MessageType::kMessage:
      return ReadLogicalMessage(in, block);
    default:
      ThrowUnknownType(type);
  }
}

}  // namespace

Message Decode(std::string_view message, const DecodeState& state, ChangeBlock* block) {
  const MessageType type = TypeOf(message);
  if (IsChange(type)) return DecodeChange(message, state, block);
  try {
    ByteReader in(message.substr(kTypeBytes));
    Message result = ReadControl(type, in, state);
    in.ExpectEnd();
    return result;
  } catch (pg::ProtocolError& error) {
    if (!NameOf(type).empty()) error.AddContext(fmt::format("message {}", NameOf(type)));
    throw;
  }
}

ChangeMessage DecodeChange(std::string_view message, const DecodeState& state, ChangeBlock* block) {
  const MessageType type = TypeOf(message);
  try {
    ChangeMessage result;
    result.raw = block->arena.Copy(message);
    ByteReader in(result.raw.substr(kTypeBytes));
    result.xid = ReadStreamedXid(in, state);
    result.change = ReadChange(type, in, state, block);
    in.ExpectEnd();
    return result;
  } catch (pg::ProtocolError& error) {
    error.AddContext(fmt::format("message {}", NameOf(type)));
    throw;
  }
}

MessageType TypeOf(std::string_view message) {
  return static_cast<MessageType>(ByteReader(message).U8());
}

pg::Xid StreamedXid(std::string_view message) {
  ByteReader in(message);
  in.U8();
  return in.ReadXid();
}

}  // namespace pgteal::decoder
