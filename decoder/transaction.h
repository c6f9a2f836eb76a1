#ifndef PGTEAL_DECODER_TRANSACTION_H_
#define PGTEAL_DECODER_TRANSACTION_H_

#include <memory>
#include <string>

#include "decoder/change.h"
#include "pg/timestamp.h"

namespace pgteal::decoder {

class EarlyTransaction;

// Where the changes of a transaction too large for memory are read from, from the first to the last
// in stream order, changes of rolled back subtransactions left out.
class ChangeSource {
 public:
  virtual ~ChangeSource() = default;
  // Replaces `*block` by the next changes, about `bytes_max` of memory (at least one change).
  // False, and an empty block, at the end. Throws ProtocolError on damaged content.
  virtual bool Next(size_t bytes_max, ChangeBlock* block) = 0;
  // Back to the first change: a failed batch is repeated.
  virtual void Rewind() = 0;
};

// One committed transaction of blue. Owned by exactly one thread at a time; moved from the receiver
// through the ring to the batcher and on to a lane.
struct Transaction {
  pg::Xid xid;
  pg::Lsn commit_lsn;  // start of the commit record; for people only
  pg::Lsn end_lsn;     // just past the commit record: order, progress and feedback go by this
  pg::Timestamp commit_time;
  std::string origin;  // name of the replication origin it was replayed from, or empty

  // Either the changes themselves …
  ChangeBlock block;
  // … or, when set, where to read them (`block` is empty then).
  std::unique_ptr<ChangeSource> source;
  // Somebody has begun to apply it before it committed; null for most.
  std::shared_ptr<EarlyTransaction> early;
  // Number of row changes and truncates, known in both cases.
  uint64_t change_count = 0;

  size_t memory_bytes() const { return sizeof(*this) - sizeof(block) + block.memory_bytes(); }
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_TRANSACTION_H_
