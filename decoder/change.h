#ifndef PGTEAL_DECODER_CHANGE_H_
#define PGTEAL_DECODER_CHANGE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "decoder/arena.h"
#include "decoder/relation.h"
#include "decoder/tuple.h"
#include "pg/ids.h"
#include "pg/lsn.h"

namespace pgteal::decoder {

enum class ChangeKind : uint8_t { kInsert, kUpdate, kDelete, kTruncate, kMessage };

// "insert", as messages and reports name it.
constexpr const char* KindName(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInsert:
      return "insert";
    case ChangeKind::kUpdate:
      return "update";
    case ChangeKind::kDelete:
      return "delete";
    case ChangeKind::kTruncate:
      return "truncate";
    case ChangeKind::kMessage:
      return "message";
  }
  return "change";
}

// Which old row came with an update or delete.
enum class OldTuple : uint8_t {
  kNone,  // update that left the identity columns as they were
  kKey,   // 'K': identity columns only, every other column is null
  kFull,  // 'O': the whole old row (REPLICA IDENTITY FULL)
};

struct TruncateOptions {
  bool cascade = false;
  bool restart_identity = false;
};

// A logical decoding message (pg_logical_emit_message).
struct LogicalMessage {
  bool transactional = false;
  pg::Lsn lsn;
  std::string_view prefix;
  std::string_view content;
};

// One row change, TRUNCATE or message. Trivially destructible: everything it points to lives in the
// ChangeBlock that holds it (arena and relations).
struct Change {
  ChangeKind kind = ChangeKind::kInsert;
  OldTuple old_kind = OldTuple::kNone;
  TruncateOptions truncate_options;
  // The table; null for kTruncate and kMessage.
  const Relation* relation = nullptr;
  Tuple old_tuple;  // per old_kind
  Tuple new_tuple;  // kInsert, kUpdate
  // kTruncate: all tables of one statement.
  const Relation* const* truncated = nullptr;
  uint32_t truncated_count = 0;
  const LogicalMessage* message = nullptr;  // kMessage
  // Start of the WAL record; for messages to people only, never compared (rule 3).
  pg::Lsn lsn;
};

// A run of changes and the memory they point into.
struct ChangeBlock {
  Arena arena;
  std::vector<Change> changes;
  // Keeps alive every relation version that `changes` points to.
  std::vector<std::shared_ptr<const Relation>> relations;

  ChangeBlock() = default;
  ChangeBlock(ChangeBlock&&) noexcept = default;
  ChangeBlock& operator=(ChangeBlock&&) noexcept = default;
  ChangeBlock(const ChangeBlock&) = delete;
  ChangeBlock& operator=(const ChangeBlock&) = delete;
  ~ChangeBlock() = default;

  // What limits on queues count.
  size_t memory_bytes() const {
    return sizeof(*this) + arena.capacity_bytes() + changes.capacity() * sizeof(Change);
  }
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_CHANGE_H_
