#ifndef PGTEAL_TOOLS_CHECK_OTHER_CHECKS_H_
#define PGTEAL_TOOLS_CHECK_OTHER_CHECKS_H_

#include "tools/check/check_table.h"

namespace pgteal::tools {

// F4: logical replication of others. Slots that may be of a deployment get no SQL that drops them.
CheckAnswer CheckOtherReplication(const CheckContext& context);
// F6: deployments of pgteal that stream from the same database.
CheckAnswer CheckOtherDeployments(const CheckContext& context);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CHECK_OTHER_CHECKS_H_
