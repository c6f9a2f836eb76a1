#ifndef PGTEAL_PG_SAFE_MESSAGE_H_
#define PGTEAL_PG_SAFE_MESSAGE_H_

#include <string>

struct pg_result;  // libpq's PGresult

namespace pgteal::pg {

// The primary message of an error, unless it is what a function raises: that is the application's
// text and may hold row values, and its place is told instead ("exception of a function, raised by
// PL/pgSQL function f() line 1 at RAISE").
std::string SafeMessage(const pg_result* error);

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_SAFE_MESSAGE_H_
