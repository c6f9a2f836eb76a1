#ifndef PGTEAL_TOOLS_SWITCHOVER_GUARDRAILS_H_
#define PGTEAL_TOOLS_SWITCHOVER_GUARDRAILS_H_

#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/fence.h"
#include "pipeline/options.h"
#include "tools/switchover/report.h"

namespace pgteal::tools {

// What speaks against a turn right now: the fence would have a hole, the stream does not run, blue
// would not be whole. Empty: nothing. Reads only.
std::vector<Objection> FindObjections(pg::Connection& from, pg::Connection& to,
                                      const pipeline::Deployment& oriented,
                                      const pipeline::FenceOptions& fence);
// Ids of `pgteal check`.
struct CheckSelection {
  std::set<std::string> only;  // empty: all
  std::set<std::string> skip;
};
// The same checks as `pgteal check`, in the words of a switchover: what is fatal at this point, and
// what could not be asked.
void AddCheckResults(pg::Connection& from, pg::Connection& to, const pipeline::Deployment& oriented,
                     const pipeline::FenceOptions& fence, const CheckSelection& checks,
                     std::vector<Objection>* objections, std::vector<std::string>* warnings);
// Throws Refused unless the last `pgteal verify` is fresh, of all tables, and found nothing.
void RequireVerified(pg::Connection& to, const std::string& deployment);
// What does not forbid it and should be known.
std::vector<std::string> FindConcerns(pg::Connection& from, pg::Connection& to,
                                      const pipeline::FenceOptions& fence);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_SWITCHOVER_GUARDRAILS_H_
