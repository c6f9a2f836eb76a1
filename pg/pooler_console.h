#ifndef PGTEAL_PG_POOLER_CONSOLE_H_
#define PGTEAL_PG_POOLER_CONSOLE_H_

#include <string>

#include "pg/connection.h"

namespace pgteal::pg {

// What PgBouncer's admin console tells, on a session that was opened as one. The columns of its
// tables differ by version, so they are found by name.

// Whether the clients of an entry in [databases] wait behind a PAUSE. False when there is none of
// that name.
bool IsPaused(Connection& console, const std::string& database);

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_POOLER_CONSOLE_H_
