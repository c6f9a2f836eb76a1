#ifndef PGTEAL_DECODER_MESSAGE_H_
#define PGTEAL_DECODER_MESSAGE_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "decoder/change.h"
#include "decoder/relation.h"
#include "pg/ids.h"
#include "pg/lsn.h"
#include "pg/timestamp.h"

namespace pgteal::decoder {

// The messages of the pgoutput plugin, protocol versions 1 to 4 (PostgreSQL docs, "Logical
// Replication Message Formats"), field by field. A `string_view` points into the decoded bytes
// unless it says otherwise.

// The first byte of each message.
enum class MessageType : char {
  kBegin = 'B',
  kCommit = 'C',
  kOrigin = 'O',
  kRelation = 'R',
  kType = 'Y',
  kInsert = 'I',
  kUpdate = 'U',
  kDelete = 'D',
  kTruncate = 'T',
  kMessage = 'M',
  kStreamStart = 'S',
  kStreamStop = 'E',
  kStreamCommit = 'c',
  kStreamAbort = 'A',
  kBeginPrepare = 'b',
  kPrepare = 'P',
  kCommitPrepared = 'K',
  kRollbackPrepared = 'r',
  kStreamPrepare = 'p',
};

// "Stream Start", or empty for a byte that is no message type.
std::string_view NameOf(MessageType type);

// A row change, TRUNCATE or logical message: what ends up in a ChangeBlock.
constexpr bool IsChange(MessageType type) {
  return type == MessageType::kInsert || type == MessageType::kUpdate ||
         type == MessageType::kDelete || type == MessageType::kTruncate ||
         type == MessageType::kMessage;
}

struct Begin {
  pg::Lsn final_lsn;  // start of the commit record
  pg::Timestamp commit_time;
  pg::Xid xid;
};

struct Commit {
  pg::Lsn commit_lsn;
  pg::Lsn end_lsn;
  pg::Timestamp commit_time;
};

struct Origin {
  pg::Lsn commit_lsn;  // on the server the transaction came from
  std::string_view name;
};

// `xid` here and below: the (sub)transaction, present between Stream Start and Stream Stop only.
struct RelationMessage {
  std::optional<pg::Xid> xid;
  Relation relation;  // type names are filled in by RelationCache
};

// Sent ahead of the Relation message whose columns have the type. For a domain it is the domain's
// oid with the name of its base type.
struct TypeMessage {
  std::optional<pg::Xid> xid;
  pg::Oid oid;
  std::string schema;
  std::string name;
};

struct ChangeMessage {
  std::optional<pg::Xid> xid;
  Change change;         // `lsn` is for the caller to set
  std::string_view raw;  // the whole message, as it stands in the block's arena
};

// False for a message sent with pg_logical_emit_message(transactional => false): it takes effect
// whether its transaction commits or not, so it is no part of one.
inline bool BelongsToTransaction(const Change& change) {
  return change.message == nullptr || change.message->transactional;
}

struct StreamStart {
  pg::Xid xid;
  bool first_segment = false;
};

struct StreamStop {};

struct StreamCommit {
  pg::Xid xid;
  pg::Lsn commit_lsn;
  pg::Lsn end_lsn;
  pg::Timestamp commit_time;
};

struct StreamAbort {
  pg::Xid xid;
  pg::Xid subxid;  // equal to `xid` when the whole transaction is rolled back
  // Only with protocol 4 and streaming 'parallel'.
  std::optional<pg::Lsn> abort_lsn;
  std::optional<pg::Timestamp> abort_time;
};

struct PreparedFields {
  pg::Lsn lsn;  // of the PREPARE or COMMIT PREPARED record
  pg::Lsn end_lsn;
  pg::Timestamp time;
  pg::Xid xid;
  std::string_view gid;
};

struct BeginPrepare : PreparedFields {};
struct Prepare : PreparedFields {};
struct CommitPrepared : PreparedFields {};
struct StreamPrepare : PreparedFields {};

struct RollbackPrepared {
  pg::Lsn prepare_end_lsn;
  pg::Lsn rollback_end_lsn;
  pg::Timestamp prepare_time;
  pg::Timestamp rollback_time;
  pg::Xid xid;
  std::string_view gid;
};

using Message = std::variant<Begin, Commit, Origin, RelationMessage, TypeMessage, ChangeMessage,
                             StreamStart, StreamStop, StreamCommit, StreamAbort, BeginPrepare,
                             Prepare, CommitPrepared, RollbackPrepared, StreamPrepare>;

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_MESSAGE_H_
