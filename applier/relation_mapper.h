#ifndef PGTEAL_APPLIER_RELATION_MAPPER_H_
#define PGTEAL_APPLIER_RELATION_MAPPER_H_

#include <memory>

#include "applier/target_relation.h"

namespace pgteal::applier {

// Finds green's table for a relation version of blue. TargetCatalog asks green; what folds and
// batches knows only this.
class RelationMapper {
 public:
  virtual ~RelationMapper() = default;
  // Thread-safe. Throws Refused naming the table or column when green cannot take the relation's
  // changes.
  virtual std::shared_ptr<const TargetRelation> Find(
      const std::shared_ptr<const decoder::Relation>& source) = 0;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_RELATION_MAPPER_H_
