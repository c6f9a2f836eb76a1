#ifndef PGTEAL_DECODER_ASSEMBLER_H_
#define PGTEAL_DECODER_ASSEMBLER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "decoder/early_transaction.h"
#include "decoder/message.h"
#include "decoder/message_log.h"
#include "decoder/open_transaction.h"
#include "decoder/relation_cache.h"
#include "decoder/streamed_transaction.h"
#include "decoder/transaction.h"

namespace pgteal::decoder {

struct AssemblerOptions {
  int protocol_version = 1;
  // A transaction above this goes to a log. Large enough that OLTP never does, small enough that a
  // ring full of transactions just below it fits in memory.
  size_t memory_bytes_max = 8 << 20;
  // A streamed transaction is offered to be applied early from so many bytes on.
  size_t early_bytes_min = 4 << 20;
};

// Messages of one START_REPLICATION -> whole transactions, in the order of their commits. Borrows
// `logs` and `early_apply` (null for none). Used by the receiver thread only; the transactions it
// returns are independent of it and may outlive it. Any ProtocolError it throws (the caller adds
// the LSN) ends the session: the assembler is not usable afterwards.
class Assembler {
 public:
  Assembler(AssemblerOptions options, MessageLogs& logs, EarlyApply* early_apply = nullptr);

  // Takes the next message, which came with `lsn`, and returns the transaction it completes, else
  // null. Nothing refers to `message` afterwards.
  std::unique_ptr<Transaction> Feed(std::string_view message, pg::Lsn lsn);

  // What follows comes from another START_REPLICATION, or from a call that begins anew:
  // transactions that are not complete come again from their beginning.
  void Restart();

  // Between Begin and Commit, or between Stream Start and Stream Stop.
  bool in_transaction() const { return open_.has_value() || stream_ != nullptr; }
  // Streamed transactions that have neither committed nor rolled back.
  size_t streamed_count() const { return streamed_.size(); }
  // Relation messages so far. Blue sends one before the first change of a table, and again when the
  // table has changed.
  uint64_t announcement_count() const { return announcement_count_; }
  // Logical messages that were sent outside of any transaction. They are not part of the state that
  // green is to reach and have no commit to be ordered by, so they are dropped.
  uint64_t dropped_message_count() const { return dropped_message_count_; }

 private:
  using Completed = std::unique_ptr<Transaction>;

  void AddChange(RawMessage raw);
  void OfferStream();
  Completed Complete(Completed transaction);
  void DropMessageOutside(RawMessage raw);

  // One for each message type but the changes.
  Completed On(RawMessage raw, Begin& message);
  Completed On(RawMessage raw, Commit& message);
  Completed On(RawMessage raw, Origin& message);
  Completed On(RawMessage raw, RelationMessage& message);
  Completed On(RawMessage raw, TypeMessage& message);
  Completed On(RawMessage raw, ChangeMessage& message);
  Completed On(RawMessage raw, StreamStart& message);
  Completed On(RawMessage raw, StreamStop& message);
  Completed On(RawMessage raw, StreamCommit& message);
  Completed On(RawMessage raw, StreamAbort& message);
  Completed On(RawMessage raw, PreparedFields& message);
  Completed On(RawMessage raw, RollbackPrepared& message);

  StreamedTransaction& OpenStream(const StreamStart& start);

  const AssemblerOptions options_;
  MessageLogs& logs_;
  EarlyApply* const early_apply_;
  RelationCache relations_;
  // Between Begin and Commit.
  std::optional<OpenTransaction> open_;
  // By top-level xid. The server bounds their number: each is an open transaction there.
  std::unordered_map<pg::Xid, StreamedTransaction> streamed_;
  // Between Stream Start and Stream Stop: an element of `streamed_`.
  StreamedTransaction* stream_ = nullptr;
  pg::Xid stream_xid_;
  // The one that was offered last, while it is open; and the end of the last completed transaction.
  std::shared_ptr<EarlyTransaction> early_;
  pg::Lsn completed_lsn_;
  // Numbers Relation messages, for RelationCache::MergeFrom.
  uint64_t announcement_count_ = 0;
  uint64_t dropped_message_count_ = 0;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_ASSEMBLER_H_
