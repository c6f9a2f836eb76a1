#ifndef PGTEAL_TOOLS_CHECK_PAIR_CHECKS_H_
#define PGTEAL_TOOLS_CHECK_PAIR_CHECKS_H_

#include "tools/check/check_table.h"

namespace pgteal::tools {

// Checks that are more than a query, most of them because they look at both servers. Each is the
// `code` of one entry in the table.
CheckAnswer CheckWalsender(const CheckContext& context);
CheckAnswer CheckVersions(const CheckContext& context);
CheckAnswer CheckTwoDatabases(const CheckContext& context);
CheckAnswer CheckSameBlue(const CheckContext& context);
CheckAnswer CheckOneEndpoint(const CheckContext& context);
// D12, for run --copy data.
CheckAnswer CheckEmptyTables(const CheckContext& context);
CheckAnswer CheckLocales(const CheckContext& context);
CheckAnswer CheckPlugin(const CheckContext& context);
CheckAnswer CheckReplicaRole(const CheckContext& context);
CheckAnswer CheckUnpublished(const CheckContext& context);
// Roles that the fence could not close.
CheckAnswer CheckFence(const CheckContext& context);
// H17. Roles of green that another database keeps from logging in.
CheckAnswer CheckKeptOut(const CheckContext& context);
// Roles that write on blue and could not on green once it is open.
CheckAnswer CheckReadOnlyRoles(const CheckContext& context);
// H15. What blue's own triggers, rules and foreign keys would make of the rows that come back.
CheckAnswer CheckSilentWayBack(const CheckContext& context);
// H16. Whether green's publication is, or can be made, as the way back needs it.
CheckAnswer CheckBackPublication(const CheckContext& context);
// D19: what must be equal before production moves. E9: what an operator should look at.
CheckAnswer CheckSchema(const CheckContext& context);
CheckAnswer CheckSettings(const CheckContext& context);
// H9. Asks the catalogs, not what the running guard noticed last.
CheckAnswer CheckDrift(const CheckContext& context);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CHECK_PAIR_CHECKS_H_
