#include "pipeline/batch_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

using applier::ApplyMode;

// 8 MiB of memory. With 120,000 rows in flight about one row in 17 waits without need.
constexpr size_t kTouchPlaces = 1 << 21;

// Of two sequences without their upper halves. What is older than two billion batches may seem to
// be later: then a row waits that need not.
bool IsLater(uint32_t one, uint32_t other) { return static_cast<int32_t>(one - other) > 0; }

bool HasTruncate(const decoder::Transaction& transaction) {
  const auto& changes = transaction.block.changes;
  return std::any_of(changes.begin(), changes.end(), [](const decoder::Change& change) {
    return change.kind == decoder::ChangeKind::kTruncate;
  });
}

}  // namespace

BatchBuilder::BatchBuilder(const BatchLimits& limits, applier::RelationMapper& mapper)
    : limits_(limits),
      resolver_(mapper),
      // Its pages cost nothing until they are touched.
      last_touch_(static_cast<uint32_t*>(std::calloc(kTouchPlaces, sizeof(uint32_t)))) {
  if (!last_touch_) throw std::bad_alloc();
}

bool BatchBuilder::NeedsOwnBatch(const decoder::Transaction& transaction) const {
  // A changed mapping may change the key, by which rows and batches are kept apart.
  return transaction.source != nullptr || HasTruncate(transaction) ||
         resolver_.HasNewVersion(transaction.block);
}

BatchBuilder::Added BatchBuilder::Add(std::unique_ptr<decoder::Transaction>& transaction) {
  const bool needs_own = NeedsOwnBatch(*transaction);
  if (batch_ && (needs_own || batch_->is_barrier)) return Added::kNeedsNext;
  try {
    resolver_.Learn(transaction->block);
  } catch (pg::Error& error) {
    error.AddContext(
        fmt::format("xid {}, end_lsn {}", transaction->xid.value, transaction->end_lsn));
    throw;
  }
  if (!batch_) {
    batch_ = std::make_unique<applier::Batch>();
    folder_.emplace(&batch_->plan);
  }
  batch_->is_barrier |= needs_own;
  batch_->end_lsn = transaction->end_lsn;
  batch_->commit_time = transaction->commit_time;
  // What is too large for memory is not ours.
  if (transaction->source != nullptr || resolver_.HasForeign(transaction->block)) {
    batch_->written_at = transaction->commit_time;
  }
  batch_->change_count += transaction->change_count;
  batch_->transaction_count += transaction->xid.value == 0 ? 0 : 1;
  batch_->memory_bytes += transaction->memory_bytes();
  try {
    resolver_.Fold(transaction->block, transaction->end_lsn, &*folder_);
  } catch (...) {
    Rebuild();
    throw;
  }
  batch_->transactions.push_back(std::move(transaction));
  return Added::kAdded;
}

// Without what was refused half way: its rows and its end must not get to green.
void BatchBuilder::Rebuild() {
  auto sound = std::move(batch_->transactions);
  batch_.reset();
  folder_.reset();
  for (auto& transaction : sound) static_cast<void>(Add(transaction));
}

bool BatchBuilder::is_full() const {
  if (!batch_) return false;
  return batch_->is_barrier || folder_->row_count() >= limits_.rows_max ||
         batch_->memory_bytes >= limits_.bytes_max ||
         (is_wary_ && batch_->change_count >= limits_.changes_wary);
}

std::unique_ptr<applier::Batch> BatchBuilder::Take(uint64_t committed) {
  batch_->sequence = next_sequence_++;
  MarkRows(committed);
  folder_.reset();
  return std::move(batch_);
}

void BatchBuilder::MarkRows(uint64_t committed) {
  auto& plan = batch_->plan;
  const auto sequence = static_cast<uint32_t>(batch_->sequence);
  const auto done = static_cast<uint32_t>(committed);
  // All are looked at before the first is noted: two keys of one batch may share a place.
  for (auto& segment : plan.segments) {
    for (auto& row : segment.rows) {
      row.is_late = segment.tables[row.table].target->mode != ApplyMode::kFolded ||
                    (row.hash != 0 && IsLater(LastTouch(row.hash), done));
    }
  }
  for (const auto& segment : plan.segments) {
    for (const auto& row : segment.rows) {
      if (row.hash != 0) LastTouch(row.hash) = sequence;
    }
  }
  for (const uint64_t hash : plan.exact_hashes) LastTouch(hash) = sequence;
}

uint32_t& BatchBuilder::LastTouch(uint64_t hash) { return last_touch_[hash & (kTouchPlaces - 1)]; }

}  // namespace pgteal::pipeline
