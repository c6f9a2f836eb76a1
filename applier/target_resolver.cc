#include "applier/target_resolver.h"

#include <utility>

namespace pgteal::applier {
namespace {

// pgteal's own bookkeeping, which a publication FOR ALL TABLES would carry along.
constexpr const char* kOwnSchema = "pgteal";

}  // namespace

bool TargetResolver::Learn(const decoder::ChangeBlock& block) {
  bool is_new_version = false;
  for (const auto& relation : block.relations) {
    if (known_.contains(relation.get())) continue;
    std::shared_ptr<const TargetRelation> target;
    if (relation->schema != kOwnSchema) target = catalog_.Find(relation);
    is_new_version |= !seen_tables_.insert(relation->oid.value).second;
    known_.emplace(relation.get(), std::move(target));
  }
  return is_new_version;
}

const std::shared_ptr<const TargetRelation>& TargetResolver::Find(
    const decoder::Relation* relation) const {
  return known_.at(relation);
}

void TargetResolver::Fold(const decoder::ChangeBlock& block, Folder* folder) const {
  const decoder::Relation* last = nullptr;
  const std::shared_ptr<const TargetRelation>* target = nullptr;
  for (const auto& change : block.changes) {
    if (change.kind == decoder::ChangeKind::kMessage) continue;
    if (change.kind == decoder::ChangeKind::kTruncate) {
      TruncateWork work = Truncate(change);
      if (!work.targets.empty()) folder->AddTruncate(std::move(work));
      continue;
    }
    if (change.relation != last) {
      last = change.relation;
      target = &Find(last);
    }
    if (*target) folder->Add(change, *target);
  }
}

TruncateWork TargetResolver::Truncate(const decoder::Change& change) const {
  TruncateWork work;
  work.restart_identity = change.truncate_options.restart_identity;
  for (uint32_t i = 0; i < change.truncated_count; ++i) {
    const auto& target = Find(change.truncated[i]);
    if (target) work.targets.push_back(target);
  }
  return work;
}

}  // namespace pgteal::applier
