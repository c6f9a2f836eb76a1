#include "applier/errors.h"

namespace pgteal::applier {

void ThrowUnsentValue(const TargetRelation& target) {
  throw pg::Refused(
      target.sides.Format("blue sent an insert into {} without a TOAST value",
                          target.DisplayName()),
      "A row filter of the publication made this insert from an update: drop the row filter.");
}

}  // namespace pgteal::applier
