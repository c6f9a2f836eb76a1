#ifndef PGTEAL_APPLIER_TARGET_RESOLVER_H_
#define PGTEAL_APPLIER_TARGET_RESOLVER_H_

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "applier/folder.h"
#include "applier/relation_mapper.h"
#include "decoder/change.h"

namespace pgteal::applier {

// One thread's memory of what the shared mapper answered, so that the data path takes no lock.
class TargetResolver {
 public:
  explicit TargetResolver(RelationMapper& mapper) : mapper_(mapper) {}

  // Looks up every relation of the block. Throws Refused when green cannot take one of them.
  void Learn(const decoder::ChangeBlock& block);
  // Whether the block sees a table through another relation version than earlier blocks did.
  bool HasNewVersion(const decoder::ChangeBlock& block) const;
  // Of a learned block. Null for relations of pgteal's own schema, which are never applied.
  const std::shared_ptr<const TargetRelation>& Find(const decoder::Relation* relation) const;

  // Whether a learned block names a table that is not pgteal's own.
  bool HasForeign(const decoder::ChangeBlock& block) const;

  // Whether a transaction that ends behind `lsn` is for every table of a learned block.
  bool TakesAll(const decoder::ChangeBlock& block, pg::Lsn lsn) const;

  // Adds every change of a learned block to the folder, but for tables whose copy holds the
  // transaction already: `end_lsn` is its end.
  void Fold(const decoder::ChangeBlock& block, pg::Lsn end_lsn, Folder* folder) const;
  TruncateWork Truncate(const decoder::Change& change, pg::Lsn end_lsn) const;

 private:
  struct Known {
    std::shared_ptr<const decoder::Relation> source;  // keeps the address from being used again
    std::shared_ptr<const TargetRelation> target;
  };

  RelationMapper& mapper_;
  std::unordered_map<const decoder::Relation*, Known> known_;
  std::unordered_set<uint32_t> seen_tables_;  // oids of blue
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TARGET_RESOLVER_H_
