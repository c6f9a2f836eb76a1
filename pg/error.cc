#include "pg/error.h"

#include <fmt/format.h>

#include <utility>

#include "pg/sqlstate.h"

namespace pgteal::pg {
namespace {

std::string Describe(const ServerErrorFields& fields) {
  std::string text = MessageMayHoldValues(fields.sqlstate)
                         ? std::string(Judge(fields.sqlstate).name)
                         : fields.message;
  if (!fields.table.empty()) text += fmt::format(", relation {}.{}", fields.schema, fields.table);
  if (!fields.column.empty()) text += fmt::format(", column {}", fields.column);
  if (!fields.constraint.empty()) text += fmt::format(", constraint {}", fields.constraint);
  return fmt::format("{} (SQLSTATE {})", text, fields.sqlstate);
}

}  // namespace

Error::Error(const std::string& message, std::string hint)
    : std::runtime_error(message), text_(message), hint_(std::move(hint)) {}

void Error::AddContext(std::string_view note) {
  text_ += ", ";
  text_ += note;
}

ServerError::ServerError(ServerErrorFields fields)
    : Error(Describe(fields), std::string(Judge(fields.sqlstate).hint)),
      fields_(std::move(fields)) {}

}  // namespace pgteal::pg
