#include "applier/target_resolver.h"

#include <algorithm>
#include <utility>

namespace pgteal::applier {
namespace {

// pgteal's own bookkeeping, which a publication FOR ALL TABLES would carry along.
constexpr const char* kOwnSchema = "pgteal";

}  // namespace

void TargetResolver::Learn(const decoder::ChangeBlock& block) {
  for (const auto& relation : block.relations) {
    if (known_.contains(relation.get())) continue;
    std::shared_ptr<const TargetRelation> target;
    if (relation->schema != kOwnSchema) target = mapper_.Find(relation);
    known_.emplace(relation.get(), Known{relation, std::move(target)});
    seen_tables_.insert(relation->oid.value);
  }
}

bool TargetResolver::HasNewVersion(const decoder::ChangeBlock& block) const {
  return std::any_of(block.relations.begin(), block.relations.end(), [this](const auto& relation) {
    return !known_.contains(relation.get()) && seen_tables_.contains(relation->oid.value);
  });
}

const std::shared_ptr<const TargetRelation>& TargetResolver::Find(
    const decoder::Relation* relation) const {
  return known_.at(relation).target;
}

bool TargetResolver::HasForeign(const decoder::ChangeBlock& block) const {
  return std::any_of(block.relations.begin(), block.relations.end(),
                     [this](const auto& relation) { return Find(relation.get()) != nullptr; });
}

bool TargetResolver::TakesAll(const decoder::ChangeBlock& block, pg::Lsn lsn) const {
  return std::all_of(block.relations.begin(), block.relations.end(), [&](const auto& relation) {
    const auto& target = Find(relation.get());
    return target == nullptr || target->Takes(lsn);
  });
}

void TargetResolver::Fold(const decoder::ChangeBlock& block, pg::Lsn end_lsn,
                          Folder* folder) const {
  const decoder::Relation* last = nullptr;
  const std::shared_ptr<const TargetRelation>* target = nullptr;
  bool is_for_us = false;
  for (const auto& change : block.changes) {
    if (change.kind == decoder::ChangeKind::kMessage) continue;
    if (change.kind == decoder::ChangeKind::kTruncate) {
      TruncateWork work = Truncate(change, end_lsn);
      if (!work.targets.empty()) folder->AddTruncate(std::move(work));
      continue;
    }
    if (change.relation != last) {
      last = change.relation;
      target = &Find(last);
      is_for_us = *target && (*target)->Takes(end_lsn);
    }
    if (is_for_us) folder->Add(change, *target);
  }
}

TruncateWork TargetResolver::Truncate(const decoder::Change& change, pg::Lsn end_lsn) const {
  TruncateWork work;
  work.restart_identity = change.truncate_options.restart_identity;
  for (uint32_t i = 0; i < change.truncated_count; ++i) {
    const auto& target = Find(change.truncated[i]);
    if (target && target->Takes(end_lsn)) work.targets.push_back(target);
  }
  return work;
}

}  // namespace pgteal::applier
