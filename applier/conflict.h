#ifndef PGTEAL_APPLIER_CONFLICT_H_
#define PGTEAL_APPLIER_CONFLICT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "applier/target_relation.h"
#include "decoder/tuple.h"
#include "pg/ids.h"
#include "pg/lsn.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

// What to do when green does not hold what blue's change expects.
enum class ConflictPolicy : uint8_t {
  kStop,       // the default: nothing is lost, a person decides
  kSkip,       // leave green's row as it is
  kOverwrite,  // make green's row what blue's is
};

// Which transaction of blue a change belongs to; for messages and pgteal.conflict.
struct ChangeOrigin {
  pg::Xid xid;
  pg::Lsn end_lsn;
};

struct Conflict {
  const TargetRelation* target;
  std::string_view operation;   // "insert", "update", "delete"
  std::string reason;           // a condition's name
  std::string_view resolution;  // "skipped", "overwritten"
  const decoder::ColumnValue* row;
};

// Puts the INSERT into pgteal.conflict on the pipeline, within the transaction it speaks of. The
// row is stored there (the customer's own database), and nowhere else. Text values only.
void SendConflict(pg::Pipelined& pipelined, const std::string& slot, const ChangeOrigin& origin,
                  const Conflict& conflict);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_CONFLICT_H_
