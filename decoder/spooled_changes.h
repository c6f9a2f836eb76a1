#ifndef PGTEAL_DECODER_SPOOLED_CHANGES_H_
#define PGTEAL_DECODER_SPOOLED_CHANGES_H_

#include <memory>
#include <unordered_set>

#include "decoder/message_log.h"
#include "decoder/pgoutput.h"
#include "decoder/relation_cache.h"
#include "decoder/transaction.h"

namespace pgteal::decoder {

// What reading a log needs to know beside its messages.
struct SpooledState {
  int protocol_version = 1;
  bool in_stream = false;   // the messages carry xids
  RelationCache relations;  // as it was ahead of the first message
  // Rolled back subtransactions: their changes are left out, their Relation messages are not, since
  // the server does not repeat those for the subtransactions that follow.
  std::unordered_set<pg::Xid> left_out;
};

// The changes of one transaction, decoded again from its log on every pass. Owns the log. Moves
// with its Transaction: one thread at a time.
class SpooledChanges : public ChangeSource {
 public:
  SpooledChanges(std::unique_ptr<MessageReader> log, SpooledState state);

  bool Next(size_t bytes_max, ChangeBlock* block) override;
  void Rewind() override;

 private:
  void Take(std::string_view message, pg::Lsn lsn, ChangeBlock* block);

  const std::unique_ptr<MessageReader> log_;
  const SpooledState state_;
  // Of the present pass.
  RelationCache relations_;
  bool is_started_ = false;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_SPOOLED_CHANGES_H_
