#ifndef PGTEAL_DECODER_STREAMED_TRANSACTION_H_
#define PGTEAL_DECODER_STREAMED_TRANSACTION_H_

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "decoder/early_transaction.h"
#include "decoder/message.h"
#include "decoder/message_log.h"
#include "decoder/open_transaction.h"
#include "decoder/relation_cache.h"
#include "decoder/transaction.h"

namespace pgteal::decoder {

// A transaction that the server sends before it knows how it ends, in blocks between Stream Start
// and Stream Stop. All of it goes to a log; what stays in memory is one number per subtransaction.
// Part of Assembler.
class StreamedTransaction {
 public:
  StreamedTransaction(std::unique_ptr<MessageLog> log, RelationCache relations);

  void SetOrigin(std::string_view name) { origin_ = name; }
  // Takes a message that IsChange says yes to. Throws ProtocolError when its subtransaction was
  // rolled back.
  void AddChange(RawMessage message);
  void AddRelation(RawMessage message, Relation relation, uint64_t order);
  void AddType(RawMessage message, const TypeMessage& type);
  // Leaves out the changes of a subtransaction. One that sent no change may be unknown.
  void RollBack(pg::Xid subxid);

  // Whether it is worth to begin with it now: it is large, and nobody has.
  bool MayBeginEarly(uint64_t bytes_min) const { return bytes_ >= bytes_min && !was_offered_; }
  // Gives it to whoever applies it while it comes; null when its log cannot be followed yet.
  std::shared_ptr<EarlyTransaction> BeginEarly(EarlyApply& apply, pg::Xid xid, int protocol_version,
                                               pg::Lsn fence);
  // It will not commit, or not from this object.
  void AbandonEarly() noexcept;

  // What the server announced within this transaction, which later ones rely on.
  const RelationCache& relations() const { return relations_; }

  std::unique_ptr<Transaction> Finish(const StreamCommit& commit, int protocol_version) &&;

 private:
  std::unique_ptr<MessageLog> log_;
  RelationCache relations_;
  std::string origin_;
  // Row changes and truncates by the (sub)transaction that made them.
  std::unordered_map<pg::Xid, uint64_t> change_counts_;
  std::unordered_set<pg::Xid> rolled_back_;
  uint64_t bytes_ = 0;  // of its changes
  bool was_offered_ = false;
  std::shared_ptr<EarlyTransaction> early_;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_STREAMED_TRANSACTION_H_
