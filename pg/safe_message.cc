#include "pg/safe_message.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include "pg/sqlstate.h"

namespace pgteal::pg {
namespace {

std::string Field(const PGresult* error, int code) {
  const char* text = PQresultErrorField(error, code);
  return text == nullptr ? "" : text;
}

}  // namespace

std::string SafeMessage(const PGresult* error) {
  const std::string sqlstate = Field(error, PG_DIAG_SQLSTATE);
  const std::string name(Judge(sqlstate).name);
  // Names of the server's source functions are not translated. The innermost line of the context
  // is PL/pgSQL's.
  if (Field(error, PG_DIAG_SOURCE_FUNCTION) == "exec_stmt_raise") {
    const std::string context = Field(error, PG_DIAG_CONTEXT);
    return fmt::format("{}, raised by {}", name, context.substr(0, context.find('\n')));
  }
  // Of other languages' errors nothing but the class is known to be harmless.
  const std::string group = sqlstate.substr(0, 2);
  const bool is_routine = group == "38" || group == "39" || group == "P0";
  return is_routine ? name : Field(error, PG_DIAG_MESSAGE_PRIMARY);
}

}  // namespace pgteal::pg
