#include "pipeline/commit_order.h"

#include "pg/check.h"
#include "pg/error.h"

namespace pgteal::pipeline {

CommitOrder::CommitOrder(size_t lanes, const pg::Interrupt& interrupt) : interrupt_(interrupt) {
  for (size_t i = 0; i < lanes; ++i) lanes_.push_back(std::make_unique<Lane>());
}

void CommitOrder::Committed(uint64_t sequence) {
  PGTEAL_CHECK(committed() + 1 == sequence, "a batch committed before its turn");
  committed_.store(sequence, std::memory_order_release);
  WakeAll();
}

void CommitOrder::AskToYield(size_t lane, uint64_t sequence) {
  lanes_[lane]->yield_sequence.store(sequence, std::memory_order_release);
  lanes_[lane]->doorbell.Ring();
}

void CommitOrder::WakeAll() {
  for (const auto& lane : lanes_) lane->doorbell.Ring();
}

applier::Turn::Outcome CommitOrder::Await(size_t lane, uint64_t sequence) {
  auto& self = *lanes_[lane];
  while (true) {
    if (committed() + 1 == sequence) return applier::Turn::Outcome::kMine;
    if (interrupt_.is_raised()) throw pg::Interrupted();
    if (self.yield_sequence.exchange(0, std::memory_order_acq_rel) == sequence) {
      return applier::Turn::Outcome::kYield;
    }
    self.doorbell.Wait(Clock::now() + std::chrono::seconds(10));
  }
}

}  // namespace pgteal::pipeline
