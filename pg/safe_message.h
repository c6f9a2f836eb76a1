#ifndef PGTEAL_PG_SAFE_MESSAGE_H_
#define PGTEAL_PG_SAFE_MESSAGE_H_

#include <string>

#include "pg/error.h"

struct pg_result;  // libpq's PGresult

namespace pgteal::pg {

// Fields of an ErrorResponse as they came: all but the SQLSTATE may hold row values.
struct RawError {
  std::string sqlstate;
  std::string message;
  std::string context;          // the innermost place first
  std::string source_function;  // of the server's source, never translated
};

struct SafeError {
  std::string message;
  // It comes from within a function of the application, a trigger's say.
  bool is_of_function = false;
};

// The server's message, unless it comes from within a function: that has row values in variables
// and in the statements it makes, and any message may quote them. Told instead are the condition
// and the place ("undefined table, raised by PL/pgSQL function f() line 1 at PERFORM").
SafeError MakeSafe(const RawError& error);

// What may be told of a result that is an error.
ServerErrorFields SafeFields(const pg_result* error);

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_SAFE_MESSAGE_H_
