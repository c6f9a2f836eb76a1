#ifndef PGTEAL_APPLIER_TARGET_CATALOG_H_
#define PGTEAL_APPLIER_TARGET_CATALOG_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "applier/relation_mapper.h"
#include "applier/renamed_table.h"
#include "applier/target_relation.h"
#include "pg/connection.h"

namespace pgteal::applier {

// Maps relation versions of blue to tables of green by reading green's catalog on a connection of
// its own. Thread-safe; one look-up per relation version and session, so the mutex is not on the
// data path (callers keep what they got).
class TargetCatalog final : public RelationMapper {
 public:
  // What blue calls a table now, if it publishes it.
  using AskBlue = std::function<std::optional<TableName>(pg::Oid)>;

  // `session`: to green, where schema pgteal is. `deployment`: whose copies of tables count.
  // `replica_role`: whether our sessions run with session_replication_role = replica, which decides
  // which triggers and rules fire. `sides`: what messages call the two. `ask_blue`: called where
  // green's table has the rows of another one of blue's; null where there is no blue to ask.
  TargetCatalog(std::unique_ptr<pg::Connection> session, std::string deployment, bool replica_role,
                SideNames sides = {}, AskBlue ask_blue = {});

  std::shared_ptr<const TargetRelation> Find(
      const std::shared_ptr<const decoder::Relation>& source) override;
  // Whose rows green's tables have, as it is on record at the start of a stream: nothing of that
  // has to be asked later, when somebody may hold the record's lock.
  void LearnHolders();
  // Forgets everything: green's catalog may have changed.
  void Forget();

 private:
  std::shared_ptr<const TargetRelation> Read(
      const std::shared_ptr<const decoder::Relation>& source);
  [[noreturn]] void ThrowMissing(const TargetRelation& target);
  void RequireOwn(const TargetRelation& target);

  std::mutex mutex_;
  // Protected by mutex_.
  const std::unique_ptr<pg::Connection> connection_;
  const std::string deployment_;
  const bool replica_role_;
  const SideNames sides_;
  const AskBlue ask_blue_;
  std::map<pg::Oid, pg::Oid> holders_;  // as of the last question
  std::unordered_map<const decoder::Relation*, std::shared_ptr<const TargetRelation>> known_;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TARGET_CATALOG_H_
