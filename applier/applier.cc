#include "applier/applier.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "applier/errors.h"
#include "pg/error.h"

namespace pgteal::applier {
namespace {

// What a binary COPY gets for rows of another shape: the table has been altered on green.
constexpr std::string_view kProtocolViolation = "08P01";
constexpr std::string_view kQueryCanceled = "57014";

ChangeOrigin OriginOf(const Batch& batch) {
  const auto& last = *batch.transactions.back();
  return {.xid = last.xid, .end_lsn = last.end_lsn};
}

// Net row effects in one piece, too few rows for a COPY.
bool IsSmall(const Batch& batch) {
  const auto& segments = batch.plan.segments;
  return !batch.is_barrier && segments.size() == 1 && segments.front().rows.size() < kCopyRowsMin &&
         segments.front().exact.empty() && !segments.front().truncate &&
         std::none_of(batch.transactions.begin(), batch.transactions.end(),
                      [](const auto& transaction) { return transaction->source != nullptr; });
}

}  // namespace

Applier::Applier(const pg::ConnInfo& target, const pg::SessionOptions& session,
                 const ApplierOptions& options, RelationMapper& mapper)
    : options_(options),
      connection_(target, session),
      pipelined_(connection_),
      row_writer_(pipelined_, statements_),
      set_writer_(connection_, pipelined_, statements_, row_writer_, options_.copy_rows_min),
      exact_writer_(pipelined_, row_writer_, options_.on_conflict, options_.slot),
      resolver_(mapper),
      commit_(connection_, pipelined_, statements_,
              {.slot = options_.slot, .origin = options_.origin, .sides = options_.sides}) {
  SetUpSession();
}

void Applier::SetUpSession() {
  // The number of array elements is unknown to the planner either way; a plan per execution would
  // copy every parameter once more. Arrays are unnested in work_mem, then in temporary files.
  commit_.SetUp(fmt::format(
      "SET synchronous_commit = {}; SET plan_cache_mode = force_generic_plan; SET jit = off;"
      " SET work_mem = '64MB'{}",
      options_.synchronous_commit ? "on" : "off",
      options_.replica_role ? "; SET session_replication_role = replica" : ""));
}

Applied Applier::Apply(Batch& batch, Turn& turn) {
  if (turn.HasCome(batch.sequence) && IsSmall(batch)) return ApplySmall(batch);
  bool is_exact = false;
  Attempt early = Attempt::kRepeat;
  if (!batch.is_barrier) {
    early = Try(
        [&] {
          Begin();
          set_writer_.Write(batch.plan.segments.front(), Part::kEarly);
          return set_writer_.Finish();
        },
        false);
    is_exact = early == Attempt::kGoExact;
  }
  auto outcome = turn.Await(batch.sequence);
  if (outcome == Turn::Outcome::kYield) {
    spdlog::debug("batch {} gives way to an earlier one", batch.sequence);
    if (early == Attempt::kDone) RollBack();
    early = Attempt::kRepeat;
    while (outcome == Turn::Outcome::kYield) outcome = turn.Await(batch.sequence);
  }
  if (early == Attempt::kDone) {
    Applied applied;
    const Attempt late = Try(
        [&] {
          if (!WriteFolded(batch, false)) return false;
          Commit(batch, &applied);
          return true;
        },
        false);
    if (late == Attempt::kDone) return applied;
    is_exact = late == Attempt::kGoExact;
  }
  return ApplyInTurn(batch, is_exact);
}

Applied Applier::ApplySmall(Batch& batch) {
  Applied applied;
  const Attempt attempt = Try([&] { return WriteAndCommit(batch, &applied); }, false);
  if (attempt == Attempt::kDone) return applied;
  return ApplyInTurn(batch, attempt == Attempt::kGoExact);
}

// Green goes on with the progress row while the counts of the rows come back, and finds the COMMIT
// when it is through.
bool Applier::WriteAndCommit(const Batch& batch, Applied* applied) {
  const Segment& segment = batch.plan.segments.front();
  Begin();
  set_writer_.Write(segment, Part::kEarly);
  set_writer_.Write(segment, Part::kLate);
  pipelined_.RequestAnswers();
  const size_t progress = commit_.SendProgress(batch);
  if (!set_writer_.AwaitRows()) {
    pipelined_.Finish();  // throws when it was more than a count
    return false;
  }
  commit_.Finish(progress, applied);
  return true;
}

bool Applier::WriteEarly(decoder::EarlyTransaction& early,
                         const std::function<void(pg::Lsn)>& await_applied) {
  try {
    const Attempt attempt = Try(
        [&] {
          Begin();
          decoder::ChangeBlock block;
          while (early.changes().Next(options_.block_bytes, &block)) {
            await_applied(early.fence());
            const ChangeOrigin origin{.xid = early.xid(), .end_lsn = block.changes.front().lsn};
            if (!WriteEarlyBlock(block, origin)) return false;
          }
          return true;
        },
        false);
    return attempt == Attempt::kDone;
  } catch (const pg::Refused& refused) {
    // It may still roll back; if it commits, it is refused then.
    spdlog::debug("a transaction is not applied early: {}", refused.what());
    RollBack();
    return false;
  }
}

// Its end is behind everything that blue has written so far, hence behind the LSN of its changes;
// what a table's copy may have of it is not known. A TRUNCATE would keep everybody out for as long
// as blue's transaction is open. Exact changes have to wait for all that commits before: triggers
// look at other rows, and of equal rows without a key two transactions may take the same one.
bool Applier::WriteEarlyBlock(const decoder::ChangeBlock& block, const ChangeOrigin& origin) {
  resolver_.Learn(block);
  if (!resolver_.TakesAll(block, origin.end_lsn)) return false;
  Plan plan;
  Folder folder(&plan);
  resolver_.Fold(block, origin.end_lsn, &folder);
  for (const auto& segment : plan.segments) {
    if (segment.truncate || !segment.exact.empty() || !WriteSegment(segment, true, origin)) {
      return false;
    }
  }
  return true;
}

Applied Applier::CommitEarly(Batch& batch, Turn& turn) {
  auto outcome = turn.Await(batch.sequence);
  Attempt attempt = Attempt::kRepeat;
  if (outcome == Turn::Outcome::kMine) {
    Applied applied;
    attempt = Try(
        [&] {
          Commit(batch, &applied);
          return true;
        },
        false);
    if (attempt == Attempt::kDone) return applied;
  } else {
    RollBack();
  }
  while (outcome == Turn::Outcome::kYield) outcome = turn.Await(batch.sequence);
  return ApplyInTurn(batch, attempt == Attempt::kGoExact);
}

// All earlier batches have committed and this one has no transaction open.
Applied Applier::ApplyInTurn(Batch& batch, bool is_exact) {
  for (int attempt = 0;; ++attempt) {
    Applied applied;
    const Attempt result = Try(
        [&] {
          Begin();
          if (is_exact) {
            WriteExact(batch);
          } else if (!WriteFolded(batch, true)) {
            return false;
          }
          Commit(batch, &applied);
          return true;
        },
        is_exact || attempt >= options_.transient_retries_max);
    applied.was_exact = is_exact;
    applied.conflicts = exact_writer_.conflicts();
    if (result == Attempt::kDone) return applied;
    if (result == Attempt::kGoExact) is_exact = true;
    if (attempt >= options_.transient_retries_max) {
      throw pg::ConnectionLost("a batch failed again and again for transient reasons");
    }
  }
}

template <typename Work>
Applier::Attempt Applier::Try(Work work, bool is_exact) {
  try {
    if (work()) return Attempt::kDone;
    RollBack();
    spdlog::debug("a folded batch did not find all its rows: repeated change by change");
    return Attempt::kGoExact;
  } catch (const TakenOver&) {
    throw;
  } catch (const pg::ServerError& error) {
    if (connection_.is_broken()) throw;
    if (error.sqlstate() == kProtocolViolation) {
      throw pg::ConnectionLost(options_.sides.Format(
          "green's columns are not those we began with, they are read again: {}", error.what()));
    }
    if (error.is_transient()) {
      spdlog::debug("a batch is repeated: {}", error.what());
      RollBack();
      return Attempt::kRepeat;
    }
    if (is_exact) throw;
    spdlog::debug("a folded batch failed and is repeated change by change: {}", error.what());
    RollBack();
    return Attempt::kGoExact;
  }
}

void Applier::Begin() { pipelined_.SendSql("BEGIN"); }

bool Applier::WriteFolded(const Batch& batch, bool with_early) {
  const ChangeOrigin origin = OriginOf(batch);
  bool is_first = true;
  for (const auto& segment : batch.plan.segments) {
    // Only the first segment had an early part.
    if (!WriteSegment(segment, with_early || !is_first, origin)) return false;
    is_first = false;
  }
  for (const auto& transaction : batch.transactions) {
    if (transaction->source && !WriteSpooled(*transaction)) return false;
  }
  return true;
}

bool Applier::WriteSegment(const Segment& segment, bool with_early, const ChangeOrigin& origin) {
  if (with_early) set_writer_.Write(segment, Part::kEarly);
  set_writer_.Write(segment, Part::kLate);
  if (!set_writer_.Finish()) return false;
  for (const auto& exact : segment.exact) {
    exact_writer_.Apply(*exact.change, *exact.target, origin);
  }
  if (segment.truncate) {
    std::vector<const TargetRelation*> targets;
    for (const auto& target : segment.truncate->targets) targets.push_back(target.get());
    exact_writer_.Truncate(targets, segment.truncate->restart_identity, origin);
  }
  exact_writer_.Finish();
  return true;
}

bool Applier::WriteSpooled(decoder::Transaction& transaction) {
  const ChangeOrigin origin{.xid = transaction.xid, .end_lsn = transaction.end_lsn};
  transaction.source->Rewind();
  decoder::ChangeBlock block;
  while (transaction.source->Next(options_.block_bytes, &block)) {
    resolver_.Learn(block);
    Plan plan;
    Folder folder(&plan);
    resolver_.Fold(block, transaction.end_lsn, &folder);
    for (const auto& segment : plan.segments) {
      if (!WriteSegment(segment, true, origin)) return false;
    }
  }
  return true;
}

void Applier::WriteExact(Batch& batch) {
  for (const auto& transaction : batch.transactions) {
    const ChangeOrigin origin{.xid = transaction->xid, .end_lsn = transaction->end_lsn};
    if (!transaction->source) {
      WriteExactBlock(transaction->block, origin);
      continue;
    }
    transaction->source->Rewind();
    decoder::ChangeBlock block;
    while (transaction->source->Next(options_.block_bytes, &block)) {
      WriteExactBlock(block, origin);
    }
  }
}

void Applier::WriteExactBlock(const decoder::ChangeBlock& block, const ChangeOrigin& origin) {
  resolver_.Learn(block);
  for (const auto& change : block.changes) {
    if (change.kind == decoder::ChangeKind::kMessage) continue;
    if (change.kind == decoder::ChangeKind::kTruncate) {
      const TruncateWork work = resolver_.Truncate(change, origin.end_lsn);
      std::vector<const TargetRelation*> targets;
      for (const auto& target : work.targets) targets.push_back(target.get());
      if (!targets.empty()) exact_writer_.Truncate(targets, work.restart_identity, origin);
    } else if (const auto& target = resolver_.Find(change.relation);
               target && target->Takes(origin.end_lsn)) {
      exact_writer_.Apply(change, *target, origin);
    }
  }
  // What was sent points into the block.
  exact_writer_.Finish();
}

void Applier::Commit(const Batch& batch, Applied* applied) {
  commit_.Finish(commit_.SendProgress(batch), applied);
}

void Applier::RollBack() {
  set_writer_.Reset();
  exact_writer_.Reset();
  try {
    pipelined_.Leave();
  } catch (const pg::StatementFailed&) {
    pipelined_.Leave();  // the failure is taken now; the pipeline is in sync
  }
  ExecThoughCanceled("ROLLBACK");
  ExecThoughCanceled("DEALLOCATE ALL");
  statements_.Forget();
}

// Who asks a lane to give way cancels its statement, which may be over by then: the cancel hits the
// next one. Either can be repeated, whether it was executed or not.
void Applier::ExecThoughCanceled(const char* sql) {
  try {
    connection_.Exec(sql);
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kQueryCanceled) throw;
    connection_.Exec(sql);
  }
}

}  // namespace pgteal::applier
