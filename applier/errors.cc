#include "applier/errors.h"

#include <fmt/format.h>

namespace pgteal::applier {

void ThrowUnsentValue(const std::string& table) {
  throw pg::Refused(
      fmt::format("blue sent an insert into {} without a TOAST value", table),
      "A row filter of the publication made this insert from an update: drop the row filter.");
}

}  // namespace pgteal::applier
