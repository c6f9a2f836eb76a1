#ifndef PGTEAL_PIPELINE_COMMIT_ORDER_H_
#define PGTEAL_PIPELINE_COMMIT_ORDER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "applier/turn.h"
#include "pg/interrupt.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// Lets batches commit in their sequence. Lanes wait for their turn on a doorbell of their own; the
// one that commits rings all of them (there are few).
class CommitOrder {
 public:
  CommitOrder(size_t lanes, const pg::Interrupt& interrupt);

  uint64_t committed() const { return committed_.load(std::memory_order_acquire); }
  bool is_interrupted() const { return interrupt_.is_raised(); }
  // By the lane whose batch just committed.
  void Committed(uint64_t sequence);
  // Asks the lane to roll back its batch of this sequence if it waits for its turn.
  void AskToYield(size_t lane, uint64_t sequence);
  // Wakes every waiting lane, so that it sees the interrupt.
  void WakeAll();

  // For use by one lane's thread.
  applier::Turn::Outcome Await(size_t lane, uint64_t sequence);

 private:
  struct Lane {
    Doorbell doorbell;
    std::atomic<uint64_t> yield_sequence = 0;
  };

  const pg::Interrupt& interrupt_;
  std::atomic<uint64_t> committed_ = 0;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

// One lane's view of the order.
class LaneTurn : public applier::Turn {
 public:
  LaneTurn(CommitOrder& order, size_t lane) : order_(order), lane_(lane) {}
  bool HasCome(uint64_t sequence) const override { return order_.committed() + 1 == sequence; }
  Outcome Await(uint64_t sequence) override { return order_.Await(lane_, sequence); }

 private:
  CommitOrder& order_;
  const size_t lane_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_COMMIT_ORDER_H_
