#ifndef PGTEAL_PIPELINE_EARLY_STREAM_H_
#define PGTEAL_PIPELINE_EARLY_STREAM_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "decoder/early_transaction.h"

namespace pgteal::pipeline {

// What the receiver, the early lane, the batcher and the main thread share of a transaction that is
// applied early.
class EarlyStream final : public decoder::EarlyTransaction {
 public:
  EarlyStream(pg::Xid xid, std::unique_ptr<decoder::MessageTail> tail, decoder::SpooledState state,
              pg::Lsn fence);

  pg::Xid xid() const override { return xid_; }
  decoder::ChangeSource& changes() override { return changes_; }
  pg::Lsn fence() const override { return {fence_.load(std::memory_order_acquire)}; }
  void MoveFence(pg::Lsn fence) override { fence_.store(fence.value, std::memory_order_release); }
  // Who is first decides.
  [[nodiscard]] bool Claim() override { return Decide(Fate::kClaimed); }
  [[nodiscard]] bool GiveUp() { return Decide(Fate::kGivenUp); }
  bool is_claimed() const { return fate_.load(std::memory_order_acquire) == Fate::kClaimed; }

  void Abandon() noexcept override;
  bool is_abandoned() const { return is_abandoned_.load(std::memory_order_acquire); }

 private:
  enum class Fate : uint8_t { kOpen, kClaimed, kGivenUp };

  bool Decide(Fate fate) {
    Fate open = Fate::kOpen;
    return fate_.compare_exchange_strong(open, fate, std::memory_order_acq_rel);
  }

  const pg::Xid xid_;
  decoder::MessageTail& tail_;  // belongs to changes_
  decoder::SpooledChanges changes_;
  std::atomic<uint64_t> fence_;
  std::atomic<Fate> fate_ = Fate::kOpen;
  std::atomic<bool> is_abandoned_ = false;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_EARLY_STREAM_H_
