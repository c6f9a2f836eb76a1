#ifndef PGTEAL_DECODER_OPEN_TRANSACTION_H_
#define PGTEAL_DECODER_OPEN_TRANSACTION_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/message.h"
#include "decoder/message_log.h"
#include "decoder/relation_cache.h"
#include "decoder/transaction.h"

namespace pgteal::decoder {

// One pgoutput message as it came in.
struct RawMessage {
  std::string_view bytes;
  pg::Lsn lsn;
};

// The transaction between Begin and Commit: its changes in memory, and from `memory_bytes_max` on
// everything in a log. Borrows the live relations and the logs. Part of Assembler.
class OpenTransaction {
 public:
  struct Limits {
    int protocol_version = 1;
    size_t memory_bytes_max = 0;
  };

  OpenTransaction(const Begin& begin, Limits limits, RelationCache* relations, MessageLogs* logs);

  void SetOrigin(std::string_view name) { transaction_->origin = name; }
  // Takes a message that IsChange says yes to. False for one that belongs to no transaction.
  [[nodiscard]] bool AddChange(RawMessage message);
  // Relation and Type messages change the live relations too.
  void AddRelation(RawMessage message, Relation relation, uint64_t order);
  void AddType(RawMessage message, const TypeMessage& type);

  // Ends the transaction; throws ProtocolError when the commit is not the one that Begin promised.
  std::unique_ptr<Transaction> Finish(const Commit& commit);

 private:
  void AddOther(RawMessage message);
  void MoveToLog();

  const Limits limits_;
  RelationCache* const relations_;
  MessageLogs* const logs_;
  std::unique_ptr<Transaction> transaction_;
  // While in memory: all messages so far, in the arena of the block, and the relation versions that
  // they replaced; what a log must begin with.
  std::vector<RawMessage> messages_;
  std::vector<std::shared_ptr<const Relation>> replaced_;
  // Once too large for that.
  std::unique_ptr<MessageLog> log_;
  RelationCache relations_before_;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_OPEN_TRANSACTION_H_
