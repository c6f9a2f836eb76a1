#ifndef PGTEAL_PIPELINE_BATCH_BUILDER_H_
#define PGTEAL_PIPELINE_BATCH_BUILDER_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "applier/batch.h"
#include "applier/folder.h"
#include "applier/target_resolver.h"

namespace pgteal::pipeline {

struct BatchLimits {
  // Rows that a batch changes on green: enough that statements and commits cost little a row, that
  // many changes of a row become one and that neighbours of green's index come together.
  size_t rows_max = 60'000;
  // Changes, while green refuses batches as a whole, which are then repeated change by change.
  size_t changes_wary = 10'000;
  // Memory of its transactions; times lanes plus ring it bounds the process.
  size_t bytes_max = 16 << 20;
};

// Collects consecutive transactions into batches and marks which rows have to wait for earlier
// batches. Batcher thread only.
class BatchBuilder {
 public:
  BatchBuilder(const BatchLimits& limits, applier::RelationMapper& mapper);

  enum class Added : uint8_t {
    kAdded,
    kNeedsNext,  // it has to begin a batch of its own: take the present one first
  };
  // kNeedsNext leaves the transaction with the caller. Throws Refused (with the transaction's xid
  // and LSN) when green cannot take it; what was added before is kept.
  [[nodiscard]] Added Add(std::unique_ptr<decoder::Transaction>& transaction);

  bool is_empty() const { return !batch_; }
  bool is_full() const;
  void SetWary(bool is_wary) { is_wary_ = is_wary; }
  // Of the last transaction. Not when empty.
  pg::Timestamp commit_time() const { return batch_->commit_time; }
  // Numbers the batch and marks its rows early or late. `committed`: sequence of the last batch
  // committed by then.
  std::unique_ptr<applier::Batch> Take(uint64_t committed);

 private:
  bool NeedsOwnBatch(const decoder::Transaction& transaction) const;
  void Rebuild();
  void MarkRows(uint64_t committed);
  uint32_t& LastTouch(uint64_t hash);

  const BatchLimits limits_;
  applier::TargetResolver resolver_;
  std::unique_ptr<applier::Batch> batch_;
  std::optional<applier::Folder> folder_;
  uint64_t next_sequence_ = 1;
  bool is_wary_ = false;
  // Sequence of the last batch that touched a key, by key hash, without its upper half. Two keys
  // sharing a place only make a row late without need.
  struct Free {
    void operator()(uint32_t* places) const { std::free(places); }
  };
  std::unique_ptr<uint32_t[], Free> last_touch_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BATCH_BUILDER_H_
