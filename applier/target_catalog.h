#ifndef PGTEAL_APPLIER_TARGET_CATALOG_H_
#define PGTEAL_APPLIER_TARGET_CATALOG_H_

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "applier/relation_mapper.h"
#include "applier/target_relation.h"
#include "pg/connection.h"

namespace pgteal::applier {

// Maps relation versions of blue to tables of green by reading green's catalog on a connection of
// its own. Thread-safe; one look-up per relation version and session, so the mutex is not on the
// data path (callers keep what they got).
class TargetCatalog final : public RelationMapper {
 public:
  // `session`: to green, where schema pgteal is. `deployment`: whose copies of tables count.
  // `replica_role`: whether our sessions run with session_replication_role = replica, which decides
  // which triggers and rules fire. `sides`: what messages call the two.
  TargetCatalog(std::unique_ptr<pg::Connection> session, std::string deployment, bool replica_role,
                SideNames sides = {});

  std::shared_ptr<const TargetRelation> Find(
      const std::shared_ptr<const decoder::Relation>& source) override;
  // Forgets everything: green's catalog may have changed.
  void Forget();

 private:
  std::shared_ptr<const TargetRelation> Read(
      const std::shared_ptr<const decoder::Relation>& source);
  [[noreturn]] void ThrowMissing(const TargetRelation& target);

  std::mutex mutex_;
  // Protected by mutex_.
  const std::unique_ptr<pg::Connection> connection_;
  const std::string deployment_;
  const bool replica_role_;
  const SideNames sides_;
  std::unordered_map<const decoder::Relation*, std::shared_ptr<const TargetRelation>> known_;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TARGET_CATALOG_H_
