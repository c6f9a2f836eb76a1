#ifndef PGTEAL_TESTS_SUPPORT_MEMORY_LOGS_H_
#define PGTEAL_TESTS_SUPPORT_MEMORY_LOGS_H_

#include <memory>

#include "decoder/message_log.h"
#include "pg/ids.h"

namespace pgteal::tests {

// Message logs that live in memory, and the number of those that are open. Must outlive them.
class MemoryLogs : public decoder::MessageLogs {
 public:
  std::unique_ptr<decoder::MessageLog> Open(pg::Xid xid) override;

  int open_count() const { return open_count_; }
  int opened_count() const { return opened_count_; }

 private:
  int open_count_ = 0;
  int opened_count_ = 0;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_MEMORY_LOGS_H_
