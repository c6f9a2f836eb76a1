#ifndef PGTEAL_TESTS_SUPPORT_PGOUTPUT_WRITER_H_
#define PGTEAL_TESTS_SUPPORT_PGOUTPUT_WRITER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/change.h"
#include "decoder/relation.h"
#include "decoder/tuple.h"
#include "pg/ids.h"
#include "pg/lsn.h"
#include "pg/timestamp.h"

namespace pgteal::tests {

// One column of a tuple as it is to be sent.
struct Value {
  decoder::ValueKind kind = decoder::ValueKind::kNull;
  std::string bytes;
};
using Row = std::vector<Value>;

Value Null();
Value Unchanged();
Value Text(std::string bytes);
Value Binary(std::string bytes);

struct OldRow {
  decoder::OldTuple kind = decoder::OldTuple::kNone;
  Row row;
};
OldRow Key(Row row);
OldRow Full(Row row);

// The other end of the decoder: pgoutput messages, byte for byte as a server writes them. A writer
// made by In() writes what stands inside a streamed block. Nothing is checked, so that wrong
// messages can be made too.
class PgoutputWriter {
 public:
  PgoutputWriter() = default;
  // The same, with the (sub)transaction's xid in front of each change, relation and type.
  PgoutputWriter In(uint32_t xid) const { return PgoutputWriter(xid); }

  std::string Begin(pg::Lsn final_lsn, pg::Timestamp commit_time, uint32_t xid) const;
  std::string Commit(pg::Lsn commit_lsn, pg::Lsn end_lsn, pg::Timestamp commit_time) const;
  std::string Origin(pg::Lsn commit_lsn, std::string_view name) const;
  std::string Relation(const decoder::Relation& relation) const;
  std::string Type(uint32_t oid, std::string_view schema, std::string_view name) const;
  std::string Insert(uint32_t relation, const Row& row) const;
  std::string Update(uint32_t relation, const OldRow& old_row, const Row& row) const;
  std::string Delete(uint32_t relation, const OldRow& old_row) const;
  std::string Truncate(const std::vector<uint32_t>& relations,
                       decoder::TruncateOptions options) const;
  std::string Message(const decoder::LogicalMessage& message) const;

  std::string StreamStart(uint32_t xid, bool first_segment) const;
  std::string StreamStop() const;
  std::string StreamCommit(uint32_t xid, pg::Lsn commit_lsn, pg::Lsn end_lsn,
                           pg::Timestamp commit_time) const;
  std::string StreamAbort(uint32_t xid, uint32_t subxid) const;
  // As with streaming 'parallel'.
  std::string StreamAbortAt(uint32_t xid, uint32_t subxid, pg::Lsn lsn, pg::Timestamp time) const;

  struct Prepared {
    pg::Lsn lsn;
    pg::Lsn end_lsn;
    pg::Timestamp time;
    uint32_t xid = 0;
    std::string gid;
  };
  std::string BeginPrepare(const Prepared& prepared) const;
  std::string Prepare(const Prepared& prepared) const;
  std::string CommitPrepared(const Prepared& prepared) const;
  std::string StreamPrepare(const Prepared& prepared) const;
  // `rollback_end_lsn` and `rollback_time` beside the end and time of the PREPARE.
  std::string RollbackPrepared(const Prepared& prepared, pg::Lsn rollback_end_lsn,
                               pg::Timestamp rollback_time) const;

  // The frames that carry messages.
  std::string XLogData(pg::Lsn start_lsn, pg::Lsn end_lsn, pg::Timestamp time,
                       std::string_view message) const;
  std::string Keepalive(pg::Lsn end_lsn, pg::Timestamp time, bool reply_requested) const;

 private:
  explicit PgoutputWriter(uint32_t xid) : xid_(xid) {}

  std::optional<uint32_t> xid_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_PGOUTPUT_WRITER_H_
