#ifndef PGTEAL_APPLIER_SCHEMA_H_
#define PGTEAL_APPLIER_SCHEMA_H_

#include <string>

#include "pg/connection.h"

namespace pgteal::applier {

// Whether EnsureSchema() has anything to do.
bool IsSchemaLacking(pg::Connection& green);
// Creates schema pgteal and its tables on green where they are missing (README, "Schema pgteal").
void EnsureSchema(pg::Connection& green);
bool HasSchema(pg::Connection& green);
// One line in pgteal.event: what an operator reads afterwards.
void RecordEvent(pg::Connection& green, const std::string& deployment, const std::string& kind,
                 const std::string& detail);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_SCHEMA_H_
