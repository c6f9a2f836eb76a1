#include "pg/error.h"

#include <fmt/format.h>

#include <utility>

#include "pg/sqlstate.h"

namespace pgteal::pg {
namespace {

Judgement JudgementOf(const ServerErrorFields& fields) {
  return fields.is_of_function ? JudgeOfFunction(fields.sqlstate) : Judge(fields.sqlstate);
}

std::string Describe(const ServerErrorFields& fields) {
  const bool is_hidden = MessageMayHoldValues(fields.sqlstate) && !fields.is_of_function;
  std::string text = is_hidden ? std::string(Judge(fields.sqlstate).name) : fields.message;
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
    : Error(Describe(fields), std::string(JudgementOf(fields).hint)), fields_(std::move(fields)) {}

bool ServerError::is_transient() const { return JudgementOf(fields_).verdict == Verdict::kRetry; }

}  // namespace pgteal::pg
