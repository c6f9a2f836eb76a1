#include "applier/exact_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "applier/row_key.h"
#include "pg/error.h"
#include "pg/sqlstate.h"

namespace pgteal::applier {
namespace {

using decoder::Change;
using decoder::ChangeKind;
using decoder::ColumnValue;
using decoder::OldTuple;

// The tuple that finds the row: the old one where blue sent it, else the key is unchanged.
const ColumnValue* OldRow(const Change& change) {
  return change.old_tuple.empty() ? change.new_tuple.values : change.old_tuple.values;
}

bool MovesKey(const Change& change, const TargetRelation& target) {
  return change.old_kind != OldTuple::kNone &&
         (target.key.empty() || !SameKey(target, change.old_tuple.values, change.new_tuple.values));
}

bool HasUnchanged(const Change& change) {
  return std::any_of(change.new_tuple.begin(), change.new_tuple.end(),
                     [](const ColumnValue& value) { return value.is_unchanged(); });
}

// Of another column than the key's: whether it changes is not known before green was asked.
bool MayMoveIdentity(const Change& change, const TargetRelation& target) {
  return change.kind == ChangeKind::kUpdate && target.has_identity_always;
}

// An update of a GENERATED ALWAYS identity is impossible in SQL: the row is replaced.
bool MovesIdentityKey(const Change& change, const TargetRelation& target) {
  if (change.kind != ChangeKind::kUpdate || target.key.empty() || !MovesKey(change, target)) {
    return false;
  }
  return std::any_of(target.key.begin(), target.key.end(), [&target](uint16_t column) {
    return target.columns[column].is_identity_always;
  });
}

// Blue has not deleted the row, so what would go with it is not blue's either.
[[noreturn]] void ThrowCascades(const TargetRelation& target) {
  throw pg::Refused(
      target.sides.Format("a row of {} cannot be replaced: foreign keys of {} would delete or "
                          "change rows on green with it, and our role may not silence them",
                          target.DisplayName(), target.cascades_to),
      target.sides.Format("Let it set session_replication_role on green (README, Privileges; "
                          "before version 15 a superuser only), or mend the row by hand, then "
                          "start again: nothing is lost."));
}

}  // namespace

void ExactWriter::Apply(const Change& change, const TargetRelation& target,
                        const ChangeOrigin& origin) {
  try {
    ApplyOne(change, target, origin);
  } catch (pg::Refused& refused) {
    refused.AddContext(Describe({0, change.kind, &target, change.lsn, origin}));
    throw;
  }
}

void ExactWriter::ApplyOne(const Change& change, const TargetRelation& target,
                           const ChangeOrigin& origin) {
  if (change.kind != ChangeKind::kInsert && target.key.empty() &&
      change.old_kind != OldTuple::kFull) {
    throw pg::Refused(
        target.sides.Format("blue sent an {} of {} without anything to find the row by",
                            KindName(change.kind), target.DisplayName()),
        target.sides.Format("ALTER TABLE {} REPLICA IDENTITY FULL; on blue.", target.qualified));
  }
  if (policy_ != ConflictPolicy::kStop) return ApplyWithPolicy(change, target, origin);
  if (MayMoveIdentity(change, target) || MovesIdentityKey(change, target)) {
    Finish();
    const Sent sent{0, change.kind, &target, change.lsn, origin};
    try {
      const uint64_t rows = Write(change, target);
      if (rows != 1) ThrowNotOne(sent, rows);
    } catch (pg::StatementFailed& failure) {
      failure.AddContext(Describe(sent));
      throw;
    }
    return;
  }
  sent_.push_back({Send(change, target), change.kind, &target, change.lsn, origin});
  if (sent_.size() >= kPipelinedMax) Finish();
}

uint64_t ExactWriter::Write(const Change& change, const TargetRelation& target) {
  if (!MovesIdentityKey(change, target)) {
    const size_t index = Send(change, target);
    const uint64_t rows = pipelined_.Finish()[index].affected_rows;
    if (rows != 0 || !MayMoveIdentity(change, target)) return rows;
  }
  return Replace(change, target);
}

size_t ExactWriter::Send(const Change& change, const TargetRelation& target) {
  switch (change.kind) {
    case ChangeKind::kInsert:
      return rows_.Insert(target, change.new_tuple.values);
    case ChangeKind::kUpdate:
      return rows_.Update(target, OldRow(change), change.new_tuple.values,
                          MovesKey(change, target));
    case ChangeKind::kDelete:
      return rows_.Delete(target, OldRow(change));
    case ChangeKind::kTruncate:
    case ChangeKind::kMessage:
      break;
  }
  throw pg::ProtocolError("neither a TRUNCATE nor a message is a row change");
}

uint64_t ExactWriter::Replace(const Change& change, const TargetRelation& target) {
  const size_t deleted = rows_.Delete(target, OldRow(change));
  const uint64_t rows = pipelined_.Finish()[deleted].affected_rows;
  if (rows != 1) return rows;
  if (!target.cascades_to.empty()) ThrowCascades(target);
  if (HasUnchanged(change) || target.has_extra_columns) {
    throw pg::Refused(
        target.sides.Format(
            "an update of {} changes a GENERATED ALWAYS identity, and the row cannot be "
            "replaced because green has values that blue did not send",
            target.DisplayName()),
        target.sides.Format(
            "ALTER the identity column on green to GENERATED BY DEFAULT, then start again."));
  }
  rows_.Insert(target, change.new_tuple.values);
  pipelined_.Finish();
  return rows;
}

void ExactWriter::Truncate(const std::vector<const TargetRelation*>& targets, bool restart_identity,
                           const ChangeOrigin& origin) {
  Finish();
  pipelined_.SendSql(TruncateSql(targets, restart_identity));
  try {
    pipelined_.Finish();
  } catch (pg::StatementFailed& failure) {
    failure.AddContext(fmt::format("truncate of {}, xid {}, end_lsn {}",
                                   targets.front()->DisplayName(), origin.xid.value,
                                   origin.end_lsn));
    throw;
  }
}

void ExactWriter::Finish() {
  const auto sent = std::exchange(sent_, {});
  try {
    const auto& answers = pipelined_.Finish();
    for (const auto& one : sent) {
      const uint64_t rows = answers[one.index].affected_rows;
      if (rows != 1) ThrowNotOne(one, rows);
    }
  } catch (pg::StatementFailed& failure) {
    // A PREPARE that fails stands just before the statement it belongs to.
    const auto at = std::find_if(sent.begin(), sent.end(), [&failure](const Sent& one) {
      return one.index >= failure.index();
    });
    if (at != sent.end()) failure.AddContext(Describe(*at));
    throw;
  }
}

std::string ExactWriter::Describe(const Sent& sent) {
  return fmt::format("{} of relation {}, key ({}), xid {}, lsn {}, end_lsn {}", KindName(sent.kind),
                     sent.target->DisplayName(), sent.target->KeyNames(), sent.origin.xid.value,
                     sent.lsn, sent.origin.end_lsn);
}

void ExactWriter::ThrowNotOne(const Sent& sent, uint64_t rows) const {
  const SideNames& sides = sent.target->sides;
  pg::Error error(
      rows == 0 ? sides.Format("green does not hold the row that blue changed")
                : sides.Format("the key that blue sent finds {} rows on green", rows),
      rows == 0
          ? sides.Format(
                "Somebody wrote on green, or the load was incomplete. Mend the row (pgteal "
                "verify names it) or choose --on-conflict, then start again: nothing is lost.")
          : sides.Format("Blue's replica identity does not tell green's rows apart. Give the "
                         "table REPLICA IDENTITY FULL on blue, then run --reload-table."));
  error.AddContext(Describe(sent));
  throw error;
}

void ExactWriter::ApplyWithPolicy(const Change& change, const TargetRelation& target,
                                  const ChangeOrigin& origin) {
  std::string reason;
  const Found found = TryOne(change, target, &reason);
  if (found == Found::kRow) return;
  ++conflicts_;
  const bool overwrites = policy_ == ConflictPolicy::kOverwrite &&
                          change.kind != ChangeKind::kDelete && found != Found::kSeveral;
  if (overwrites) Overwrite(change, target, found);
  SendConflict(pipelined_, slot_, origin,
               {.target = &target,
                .operation = KindName(change.kind),
                .reason = reason,
                .resolution = overwrites ? "overwritten" : "skipped",
                .row = change.new_tuple.empty() ? OldRow(change) : change.new_tuple.values});
}

ExactWriter::Found ExactWriter::TryOne(const Change& change, const TargetRelation& target,
                                       std::string* reason) {
  pipelined_.SendSql("SAVEPOINT pgteal_change");
  try {
    const uint64_t rows = Write(change, target);
    if (rows > 1) pipelined_.SendSql("ROLLBACK TO SAVEPOINT pgteal_change");
    pipelined_.SendSql("RELEASE SAVEPOINT pgteal_change");
    if (rows == 1) return Found::kRow;
    *reason = rows == 0 ? "row missing" : "several rows";
    return rows == 0 ? Found::kNoRow : Found::kSeveral;
  } catch (const pg::StatementFailed& failure) {
    if (!failure.is_constraint_violation()) throw;
    pipelined_.SendSql("ROLLBACK TO SAVEPOINT pgteal_change");
    pipelined_.SendSql("RELEASE SAVEPOINT pgteal_change");
    *reason = std::string(pg::Judge(failure.sqlstate()).name);
    return Found::kViolation;
  }
}

void ExactWriter::Overwrite(const Change& change, const TargetRelation& target, Found found) {
  if (change.kind == ChangeKind::kInsert || found == Found::kNoRow) return Put(change, target);
  const ColumnValue* own_row = OldRow(change);
  if (MovesKey(change, target) && !target.key.empty()) {
    DeleteOthers(target, target.key, change.new_tuple.values, own_row);
  }
  MakeRoom(change, target, own_row);
  if (Write(change, target) != 1) Put(change, target);
}

void ExactWriter::Put(const Change& change, const TargetRelation& target) {
  if (HasUnchanged(change)) {
    throw pg::Refused(
        target.sides.Format("green lacks a row of {} that blue updated without sending its TOAST "
                            "values",
                            target.DisplayName()),
        target.sides.Format(
            "Copy the row from blue by hand, or reload the table, then start again."));
  }
  const ColumnValue* row = change.new_tuple.values;
  const ColumnValue* own_row = target.key.empty() ? nullptr : row;
  MakeRoom(change, target, own_row);
  // Updated rather than replaced: other tables may refer to it.
  if (own_row != nullptr) {
    const size_t updated = rows_.Update(target, own_row, row, true);  // it may be spelled otherwise
    if (pipelined_.Finish()[updated].affected_rows == 1) return;
    DeleteOthers(target, target.key, row, nullptr);
  }
  rows_.Insert(target, row);
  pipelined_.Finish();
}

void ExactWriter::MakeRoom(const Change& change, const TargetRelation& target,
                           const ColumnValue* own_row) {
  const ColumnValue* row = change.new_tuple.values;
  for (const auto& unique : target.unique_keys) {
    // A NULL is in nobody's way, and what was not sent has not changed.
    const auto cannot_meet = [&](uint16_t column) {
      return row[column].is_unchanged() || (row[column].is_null() && !unique.nulls_are_equal);
    };
    if (std::any_of(unique.columns.begin(), unique.columns.end(), cannot_meet)) continue;
    DeleteOthers(target, unique.columns, row, own_row);
  }
}

void ExactWriter::DeleteOthers(const TargetRelation& target, const ColumnList& columns,
                               const ColumnValue* row, const ColumnValue* own_row) {
  const size_t deleted = rows_.DeleteOthers(target, columns, row, own_row);
  if (target.cascades_to.empty()) return;
  if (pipelined_.Finish()[deleted].affected_rows != 0) ThrowCascades(target);
}

}  // namespace pgteal::applier
