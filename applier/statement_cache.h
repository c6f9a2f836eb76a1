#ifndef PGTEAL_APPLIER_STATEMENT_CACHE_H_
#define PGTEAL_APPLIER_STATEMENT_CACHE_H_

#include <string>
#include <unordered_map>
#include <vector>

#include "pg/ids.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

// Prepared statements of one connection, by text and parameter types. Names are numbers, so two
// texts never share one. Bounded: past kStatementsMax everything is deallocated and begins anew.
class StatementCache {
 public:
  // The statement's name; sends the PREPARE on the pipeline when it is new.
  const std::string& Prepare(pg::Pipelined& pipelined, const std::string& sql,
                             const std::vector<pg::Oid>& types);
  // After a failed pipeline: which PREPAREs the server took is unknown. The caller has sent
  // DEALLOCATE ALL.
  void Forget() { names_.clear(); }

 private:
  static constexpr size_t kStatementsMax = 2000;

  std::unordered_map<std::string, std::string> names_;
  uint64_t next_ = 0;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_STATEMENT_CACHE_H_
