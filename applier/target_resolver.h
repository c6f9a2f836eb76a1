#ifndef PGTEAL_APPLIER_TARGET_RESOLVER_H_
#define PGTEAL_APPLIER_TARGET_RESOLVER_H_

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "applier/folder.h"
#include "applier/target_catalog.h"
#include "decoder/change.h"

namespace pgteal::applier {

// One thread's memory of what the shared catalog answered, so that the data path takes no lock.
class TargetResolver {
 public:
  explicit TargetResolver(TargetCatalog& catalog) : catalog_(catalog) {}

  // Looks up every relation of the block. Throws Refused when green cannot take one of them.
  // True if a table that was known before is now seen through a new relation version.
  bool Learn(const decoder::ChangeBlock& block);
  // Of a learned block. Null for relations of pgteal's own schema, which are never applied.
  const std::shared_ptr<const TargetRelation>& Find(const decoder::Relation* relation) const;

  // Adds every change of a learned block to the folder.
  void Fold(const decoder::ChangeBlock& block, Folder* folder) const;
  TruncateWork Truncate(const decoder::Change& change) const;

 private:
  TargetCatalog& catalog_;
  std::unordered_map<const decoder::Relation*, std::shared_ptr<const TargetRelation>> known_;
  std::unordered_set<uint32_t> seen_tables_;  // oids of blue
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TARGET_RESOLVER_H_
