#include "applier/statement_cache.h"

#include <fmt/format.h>

namespace pgteal::applier {

const std::string& StatementCache::Prepare(pg::Pipelined& pipelined, const std::string& sql,
                                           const std::vector<pg::Oid>& types) {
  std::string id = sql;
  for (const pg::Oid type : types) id += fmt::format(",{}", type.value);
  const auto found = names_.find(id);
  if (found != names_.end()) return found->second;
  if (names_.size() >= kStatementsMax) {
    pipelined.SendSql("DEALLOCATE ALL");
    names_.clear();
  }
  const auto added = names_.emplace(std::move(id), fmt::format("pgteal_{}", next_++)).first;
  pipelined.SendPrepare(added->second, sql, types);
  return added->second;
}

}  // namespace pgteal::applier
