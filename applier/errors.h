#ifndef PGTEAL_APPLIER_ERRORS_H_
#define PGTEAL_APPLIER_ERRORS_H_

#include "applier/target_relation.h"
#include "pg/error.h"

namespace pgteal::applier {

// The stream carries a value in binary that green's column cannot take so. The session begins again
// from the durable LSN with a text stream.
class BinaryRefused : public pg::Error {
  using Error::Error;
};

// Another process has taken over the deployment (the progress row bears another generation).
class TakenOver : public pg::Refused {
  using Refused::Refused;
};

// An insert lacks a value that blue holds out of line: it was an update, and pgoutput's row filter
// made an insert of it without fetching what the update had left alone. Throws Refused.
[[noreturn]] void ThrowUnsentValue(const TargetRelation& target);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_ERRORS_H_
