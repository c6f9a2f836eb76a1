#ifndef PGTEAL_DECODER_RELATION_CACHE_H_
#define PGTEAL_DECODER_RELATION_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "decoder/change.h"
#include "decoder/message.h"
#include "decoder/relation.h"
#include "pg/ids.h"

namespace pgteal::decoder {

// The present version of each relation, as Relation messages announced it. Copies are cheap (shared
// versions). One thread at a time; the versions themselves are immutable and go to any thread.
class RelationCache {
 public:
  // Takes a Relation message. `order` numbers announcements across caches (greater is later, never
  // zero). A version equal to the known one keeps the known object, so that one version is one
  // object. Returns the version that was replaced by another one, else null.
  std::shared_ptr<const Relation> Apply(Relation relation, uint64_t order);
  // Names a type for the Relation messages that follow.
  void Apply(const TypeMessage& type);
  // Back to an earlier version.
  void Restore(std::shared_ptr<const Relation> relation);

  // The version that a change is written under, held by `block` from now on; null when it was not
  // announced.
  const Relation* Use(pg::Oid oid, ChangeBlock* block) {
    if (last_ == kNone || entries_[last_].oid != oid) [[unlikely]] {
      if (!Seek(oid)) return nullptr;
    }
    Entry& entry = entries_[last_];
    if (entry.announced == 0) [[unlikely]]
      return nullptr;
    const auto& held = block->relations;
    if (entry.slot >= held.size() || held[entry.slot] != entry.relation) [[unlikely]]
      Hold(&entry, block);
    return entry.relation.get();
  }

  // The announced version, or null.
  std::shared_ptr<const Relation> Find(pg::Oid oid) const;

  // A cache in which every relation waits to be announced again; one announced as it was here
  // becomes the same object.
  RelationCache Unannounced() const;

  // Takes over what `other` learned later than this one.
  void MergeFrom(const RelationCache& other);

 private:
  struct Entry {
    pg::Oid oid;
    uint32_t slot = 0;  // where in the block last used it is held; checked against the block
    uint64_t announced = 0;
    std::shared_ptr<const Relation> relation;
  };
  struct TypeName {
    std::string schema;
    std::string name;
  };

  static constexpr size_t kNone = SIZE_MAX;

  bool Seek(pg::Oid oid);
  static void Hold(Entry* entry, ChangeBlock* block);
  Entry& FindOrAdd(pg::Oid oid);
  void NameTypes(Relation* relation) const;

  std::vector<Entry> entries_;
  std::unordered_map<pg::Oid, size_t> index_;  // into entries_
  std::unordered_map<pg::Oid, TypeName> types_;
  size_t last_ = kNone;  // the entry used last: changes come in runs of one relation
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_RELATION_CACHE_H_
