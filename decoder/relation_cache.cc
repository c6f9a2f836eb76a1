#include "decoder/relation_cache.h"

#include <utility>

namespace pgteal::decoder {

std::shared_ptr<const Relation> RelationCache::Apply(Relation relation, uint64_t order) {
  NameTypes(&relation);
  Entry& entry = FindOrAdd(relation.oid);
  const bool was_announced = entry.announced != 0;
  entry.announced = order;
  if (entry.relation != nullptr && *entry.relation == relation) return nullptr;
  auto replaced =
      std::exchange(entry.relation, std::make_shared<const Relation>(std::move(relation)));
  return was_announced ? replaced : nullptr;
}

void RelationCache::Apply(const TypeMessage& type) {
  types_[type.oid] = TypeName{.schema = type.schema, .name = type.name};
}

void RelationCache::Restore(std::shared_ptr<const Relation> relation) {
  Entry& entry = FindOrAdd(relation->oid);
  entry.relation = std::move(relation);
}

std::shared_ptr<const Relation> RelationCache::Find(pg::Oid oid) const {
  const auto found = index_.find(oid);
  if (found == index_.end() || entries_[found->second].announced == 0) return nullptr;
  return entries_[found->second].relation;
}

RelationCache RelationCache::Unannounced() const {
  RelationCache copy;
  copy.entries_ = entries_;
  copy.index_ = index_;
  for (Entry& entry : copy.entries_) entry.announced = 0;
  return copy;
}

void RelationCache::MergeFrom(const RelationCache& other) {
  for (const Entry& theirs : other.entries_) {
    if (theirs.announced == 0) continue;
    Entry& ours = FindOrAdd(theirs.oid);
    if (ours.announced >= theirs.announced) continue;
    ours.announced = theirs.announced;
    if (ours.relation == nullptr || *ours.relation != *theirs.relation)
      ours.relation = theirs.relation;
  }
}

bool RelationCache::Seek(pg::Oid oid) {
  const auto found = index_.find(oid);
  if (found == index_.end()) return false;
  last_ = found->second;
  return true;
}

void RelationCache::Hold(Entry* entry, ChangeBlock* block) {
  entry->slot = static_cast<uint32_t>(block->relations.size());
  block->relations.push_back(entry->relation);
}

RelationCache::Entry& RelationCache::FindOrAdd(pg::Oid oid) {
  const auto [found, is_new] = index_.try_emplace(oid, entries_.size());
  if (is_new) {
    entries_.emplace_back();
    entries_.back().oid = oid;
  }
  return entries_[found->second];
}

void RelationCache::NameTypes(Relation* relation) const {
  for (Column& column : relation->columns) {
    const auto found = types_.find(column.type);
    if (found == types_.end()) continue;
    column.type_schema = found->second.schema;
    column.type_name = found->second.name;
  }
}

}  // namespace pgteal::decoder
