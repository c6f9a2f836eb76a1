#ifndef PGTEAL_DECODER_EARLY_TRANSACTION_H_
#define PGTEAL_DECODER_EARLY_TRANSACTION_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "decoder/message_log.h"
#include "decoder/spooled_changes.h"
#include "pg/ids.h"
#include "pg/lsn.h"

namespace pgteal::decoder {

// A streamed transaction that is applied while blue still sends it, without knowing how it ends.
// Its log holds all of it, too: whoever began may give up at any time, and it is applied from there
// once it has committed. Shared by the receiver, which says how it goes on, by whoever applies it,
// by the batcher, which has its commit, and by whoever wants it given up.
class EarlyTransaction {
 public:
  // `fence`: see fence().
  EarlyTransaction(pg::Xid xid, std::unique_ptr<MessageTail> tail, SpooledState state,
                   pg::Lsn fence);

  pg::Xid xid() const { return xid_; }

  // The one who applies. Next() waits for more; it throws Interrupted once abandoned.
  ChangeSource& changes() { return changes_; }
  // What changes() has returned so far may rest on every transaction that ends at or before it.
  // Those that commit later met none of its rows: blue's locks kept them apart.
  pg::Lsn fence() const { return {fence_.load(std::memory_order_acquire)}; }
  // By the receiver, before what follows is appended to the log.
  void MoveFence(pg::Lsn fence) { fence_.store(fence.value, std::memory_order_release); }

  // Who is first decides: the batcher, so that the one who applies has to commit it, or that one,
  // who gives up and leaves it to any lane.
  [[nodiscard]] bool Claim() { return Decide(Fate::kClaimed); }
  [[nodiscard]] bool GiveUp() { return Decide(Fate::kGivenUp); }

  // Any thread: it rolled back, or it is in somebody's way. Asks to give up.
  void Abandon() noexcept;
  bool is_abandoned() const { return is_abandoned_.load(std::memory_order_acquire); }

 private:
  enum class Fate : uint8_t { kOpen, kClaimed, kGivenUp };

  bool Decide(Fate fate) {
    Fate open = Fate::kOpen;
    return fate_.compare_exchange_strong(open, fate, std::memory_order_acq_rel);
  }

  const pg::Xid xid_;
  MessageTail& tail_;  // belongs to changes_
  SpooledChanges changes_;
  std::atomic<uint64_t> fence_;
  std::atomic<Fate> fate_ = Fate::kOpen;
  std::atomic<bool> is_abandoned_ = false;
};

// Takes streamed transactions before they have committed, one at a time: it wants none before it is
// done with the one before. Called by the receiver thread.
class EarlyApply {
 public:
  virtual ~EarlyApply() = default;
  virtual bool WantsOne() const = 0;
  virtual void Begin(std::shared_ptr<EarlyTransaction> early) = 0;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_EARLY_TRANSACTION_H_
