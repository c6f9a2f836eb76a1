#include "tests/support/pgoutput_writer.h"

#include <utility>

namespace pgteal::tests {
namespace {

using decoder::OldTuple;
using decoder::ValueKind;

// Appends fields in network order.
class Bytes {
 public:
  explicit Bytes(char type) : bytes_(1, type) {}
  Bytes(char type, std::optional<uint32_t> xid) : Bytes(type) {
    if (xid.has_value()) U32(*xid);
  }

  Bytes& U8(uint8_t value) { return Number(value, 1); }
  Bytes& U16(size_t value) { return Number(value, 2); }
  Bytes& U32(size_t value) { return Number(value, 4); }
  Bytes& U64(uint64_t value) { return Number(value, 8); }
  Bytes& Lsn(pg::Lsn lsn) { return U64(lsn.value); }
  Bytes& Time(pg::Timestamp time) { return U64(static_cast<uint64_t>(time.micros)); }
  Bytes& CString(std::string_view text) {
    bytes_ += text;
    bytes_ += '\0';
    return *this;
  }
  Bytes& Raw(std::string_view raw) {
    bytes_ += raw;
    return *this;
  }
  Bytes& Tuple(char mark, const Row& row) {
    U8(static_cast<uint8_t>(mark)).U16(row.size());
    for (const Value& value : row) {
      U8(static_cast<uint8_t>(value.kind));
      if (value.kind == ValueKind::kText || value.kind == ValueKind::kBinary)
        U32(value.bytes.size()).Raw(value.bytes);
    }
    return *this;
  }
  Bytes& Old(const OldRow& old_row) {
    if (old_row.kind == OldTuple::kNone) return *this;
    return Tuple(old_row.kind == OldTuple::kKey ? 'K' : 'O', old_row.row);
  }
  Bytes& Prepared(const PgoutputWriter::Prepared& prepared) {
    return Lsn(prepared.lsn)
        .Lsn(prepared.end_lsn)
        .Time(prepared.time)
        .U32(prepared.xid)
        .CString(prepared.gid);
  }

  std::string Take() { return std::move(bytes_); }

 private:
  Bytes& Number(uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      bytes_ += static_cast<char>(value >> shift);
    return *this;
  }

  std::string bytes_;
};

// The server's shorthand for the schema that every session searches first.
std::string_view WireSchema(std::string_view schema) {
  return schema == "pg_catalog" ? "" : schema;
}

}  // namespace

Value Null() { return {ValueKind::kNull, ""}; }
Value Unchanged() { return {ValueKind::kUnchangedToast, ""}; }
Value Text(std::string bytes) { return {ValueKind::kText, std::move(bytes)}; }
Value Binary(std::string bytes) { return {ValueKind::kBinary, std::move(bytes)}; }

OldRow Key(Row row) { return {OldTuple::kKey, std::move(row)}; }
OldRow Full(Row row) { return {OldTuple::kFull, std::move(row)}; }

std::string PgoutputWriter::Begin(pg::Lsn final_lsn, pg::Timestamp commit_time,
                                  uint32_t xid) const {
  return Bytes('B').Lsn(final_lsn).Time(commit_time).U32(xid).Take();
}

std::string PgoutputWriter::Commit(pg::Lsn commit_lsn, pg::Lsn end_lsn,
                                   pg::Timestamp commit_time) const {
  return Bytes('C').U8(0).Lsn(commit_lsn).Lsn(end_lsn).Time(commit_time).Take();
}

std::string PgoutputWriter::Origin(pg::Lsn commit_lsn, std::string_view name) const {
  return Bytes('O').Lsn(commit_lsn).CString(name).Take();
}

std::string PgoutputWriter::Relation(const decoder::Relation& relation) const {
  Bytes bytes('R', xid_);
  bytes.U32(relation.oid.value).CString(WireSchema(relation.schema)).CString(relation.name);
  bytes.U8(static_cast<uint8_t>(relation.identity)).U16(relation.columns.size());
  for (const decoder::Column& column : relation.columns) {
    bytes.U8(column.is_key ? 1 : 0).CString(column.name).U32(column.type.value);
    bytes.U32(static_cast<uint32_t>(column.typmod));
  }
  return bytes.Take();
}

std::string PgoutputWriter::Type(uint32_t oid, std::string_view schema,
                                 std::string_view name) const {
  return Bytes('Y', xid_).U32(oid).CString(WireSchema(schema)).CString(name).Take();
}

std::string PgoutputWriter::Insert(uint32_t relation, const Row& row) const {
  return Bytes('I', xid_).U32(relation).Tuple('N', row).Take();
}

std::string PgoutputWriter::Update(uint32_t relation, const OldRow& old_row, const Row& row) const {
  return Bytes('U', xid_).U32(relation).Old(old_row).Tuple('N', row).Take();
}

std::string PgoutputWriter::Delete(uint32_t relation, const OldRow& old_row) const {
  return Bytes('D', xid_).U32(relation).Old(old_row).Take();
}

std::string PgoutputWriter::Truncate(const std::vector<uint32_t>& relations,
                                     decoder::TruncateOptions options) const {
  const int flags = (options.cascade ? 1 : 0) | (options.restart_identity ? 2 : 0);
  Bytes bytes('T', xid_);
  bytes.U32(relations.size()).U8(static_cast<uint8_t>(flags));
  for (const uint32_t oid : relations) bytes.U32(oid);
  return bytes.Take();
}

std::string PgoutputWriter::Message(const decoder::LogicalMessage& message) const {
  return Bytes('M', xid_)
      .U8(message.transactional ? 1 : 0)
      .Lsn(message.lsn)
      .CString(message.prefix)
      .U32(message.content.size())
      .Raw(message.content)
      .Take();
}

std::string PgoutputWriter::StreamStart(uint32_t xid, bool first_segment) const {
  return Bytes('S').U32(xid).U8(first_segment ? 1 : 0).Take();
}

std::string PgoutputWriter::StreamStop() const { return Bytes('E').Take(); }

std::string PgoutputWriter::StreamCommit(uint32_t xid, pg::Lsn commit_lsn, pg::Lsn end_lsn,
                                         pg::Timestamp commit_time) const {
  return Bytes('c').U32(xid).U8(0).Lsn(commit_lsn).Lsn(end_lsn).Time(commit_time).Take();
}

std::string PgoutputWriter::StreamAbort(uint32_t xid, uint32_t subxid) const {
  return Bytes('A').U32(xid).U32(subxid).Take();
}

std::string PgoutputWriter::StreamAbortAt(uint32_t xid, uint32_t subxid, pg::Lsn lsn,
                                          pg::Timestamp time) const {
  return Bytes('A').U32(xid).U32(subxid).Lsn(lsn).Time(time).Take();
}

std::string PgoutputWriter::BeginPrepare(const Prepared& prepared) const {
  return Bytes('b').Prepared(prepared).Take();
}

std::string PgoutputWriter::Prepare(const Prepared& prepared) const {
  return Bytes('P').U8(0).Prepared(prepared).Take();
}

std::string PgoutputWriter::CommitPrepared(const Prepared& prepared) const {
  return Bytes('K').U8(0).Prepared(prepared).Take();
}

std::string PgoutputWriter::StreamPrepare(const Prepared& prepared) const {
  return Bytes('p').U8(0).Prepared(prepared).Take();
}

std::string PgoutputWriter::RollbackPrepared(const Prepared& prepared, pg::Lsn rollback_end_lsn,
                                             pg::Timestamp rollback_time) const {
  return Bytes('r')
      .U8(0)
      .Lsn(prepared.end_lsn)
      .Lsn(rollback_end_lsn)
      .Time(prepared.time)
      .Time(rollback_time)
      .U32(prepared.xid)
      .CString(prepared.gid)
      .Take();
}

std::string PgoutputWriter::XLogData(pg::Lsn start_lsn, pg::Lsn end_lsn, pg::Timestamp time,
                                     std::string_view message) const {
  return Bytes('w').Lsn(start_lsn).Lsn(end_lsn).Time(time).Raw(message).Take();
}

std::string PgoutputWriter::Keepalive(pg::Lsn end_lsn, pg::Timestamp time,
                                      bool reply_requested) const {
  return Bytes('k').Lsn(end_lsn).Time(time).U8(reply_requested ? 1 : 0).Take();
}

}  // namespace pgteal::tests
