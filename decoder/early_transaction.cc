#include "decoder/early_transaction.h"

#include <utility>

namespace pgteal::decoder {

EarlyTransaction::EarlyTransaction(pg::Xid xid, std::unique_ptr<MessageTail> tail,
                                   SpooledState state, pg::Lsn fence)
    : xid_(xid), tail_(*tail), changes_(std::move(tail), std::move(state)), fence_(fence.value) {}

void EarlyTransaction::Abandon() noexcept {
  is_abandoned_.store(true, std::memory_order_release);
  tail_.Cut();
}

}  // namespace pgteal::decoder
