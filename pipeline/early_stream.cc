#include "pipeline/early_stream.h"

#include <utility>

namespace pgteal::pipeline {

EarlyStream::EarlyStream(pg::Xid xid, std::unique_ptr<decoder::MessageTail> tail,
                         decoder::SpooledState state, pg::Lsn fence)
    : xid_(xid), tail_(*tail), changes_(std::move(tail), std::move(state)), fence_(fence.value) {}

void EarlyStream::Abandon() noexcept {
  is_abandoned_.store(true, std::memory_order_release);
  tail_.Cut();
}

}  // namespace pgteal::pipeline
