#ifndef PGTEAL_DECODER_EARLY_TRANSACTION_H_
#define PGTEAL_DECODER_EARLY_TRANSACTION_H_

#include <memory>

#include "decoder/message_log.h"
#include "decoder/spooled_changes.h"
#include "decoder/transaction.h"
#include "pg/ids.h"
#include "pg/lsn.h"

namespace pgteal::decoder {

// A streamed transaction that is applied while blue still sends it, without knowing how it ends.
// Its log holds all of it, too: whoever began may give up at any time, and it is applied from there
// once it has committed. Shared by the receiver, which says how it goes on, by whoever applies it,
// by the batcher, which has its commit, and by whoever wants it given up. The pipeline makes it.
class EarlyTransaction {
 public:
  virtual ~EarlyTransaction() = default;

  virtual pg::Xid xid() const = 0;
  // The one who applies. Next() waits for more; it throws Interrupted once abandoned.
  virtual ChangeSource& changes() = 0;
  // What changes() has returned so far may rest on every transaction that ends at or before it.
  // Those that commit later met none of its rows: blue's locks kept them apart.
  virtual pg::Lsn fence() const = 0;
  // By the receiver, before what follows is appended to the log.
  virtual void MoveFence(pg::Lsn fence) = 0;
  // By the batcher, which has its commit. True: the one who applies has to commit it, and cannot
  // give up any more. False: that one has given up, and any lane applies it.
  [[nodiscard]] virtual bool Claim() = 0;
  // Any thread: it rolled back, or it is in somebody's way. Asks to give up.
  virtual void Abandon() noexcept = 0;
};

// Takes streamed transactions before they have committed, one at a time: it wants none before it is
// done with the one before. Called by the receiver thread.
class EarlyApply {
 public:
  virtual ~EarlyApply() = default;
  virtual bool WantsOne() = 0;
  // What `tail` reads, with `state` to decode it by. `fence`: see there.
  virtual std::shared_ptr<EarlyTransaction> Begin(pg::Xid xid, std::unique_ptr<MessageTail> tail,
                                                  SpooledState state, pg::Lsn fence) = 0;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_EARLY_TRANSACTION_H_
