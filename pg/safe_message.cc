#include "pg/safe_message.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "pg/sqlstate.h"

namespace pgteal::pg {
namespace {

template <size_t kSize>
bool StartsWithAny(std::string_view line, const std::array<std::string_view, kSize>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [line](std::string_view one) { return line.starts_with(one); });
}

// Lines that quote what is executed, over as many lines as that has.
constexpr std::array<std::string_view, 3> kQuoting = {"SQL statement \"", "SQL expression \"",
                                                      "PL/pgSQL assignment \""};
// Where no function is at work. Other contexts are those of an extension, or translated.
constexpr std::array<std::string_view, 6> kHarmless = {
    "COPY ", "slot \"", "while ", "portal \"", "unnamed portal ", "parallel worker"};
constexpr std::array<std::string_view, 3> kFunctions = {"PL/", "SQL function \"", "in PL/"};

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The innermost line that names a function; empty without one.
std::string_view FunctionIn(const std::vector<std::string_view>& lines) {
  bool is_quoted = false;
  for (const std::string_view line : lines) {
    // What follows is a row of the client's, as it is.
    if (!is_quoted && line.starts_with("COPY ")) break;
    const bool begins = !is_quoted && StartsWithAny(line, kQuoting);
    if (!is_quoted && !begins && StartsWithAny(line, kFunctions)) return line;
    if (is_quoted || begins) is_quoted = !line.ends_with('"');
  }
  return "";
}

std::string Field(const PGresult* error, int code) {
  const char* text = PQresultErrorField(error, code);
  return text == nullptr ? "" : text;
}

}  // namespace

SafeError MakeSafe(const RawError& error) {
  const auto lines = Lines(error.context);
  // The innermost line is PL/pgSQL's then, in whatever language.
  const bool is_raised = error.source_function == "exec_stmt_raise" && !lines.empty();
  const std::string_view place = is_raised ? lines.front() : FunctionIn(lines);
  const std::string_view name = Judge(error.sqlstate).name;
  if (!place.empty()) {
    return {.message = fmt::format("{}, raised by {}", name, place), .is_of_function = true};
  }
  const std::string group = error.sqlstate.substr(0, 2);
  const bool is_routine = group == "38" || group == "39" || group == "P0";
  if (is_routine || (!lines.empty() && !StartsWithAny(lines.front(), kHarmless))) {
    return {.message = std::string(name), .is_of_function = true};
  }
  return {.message = error.message, .is_of_function = false};
}

ServerErrorFields SafeFields(const PGresult* error) {
  ServerErrorFields fields;
  fields.sqlstate = Field(error, PG_DIAG_SQLSTATE);
  SafeError safe = MakeSafe({.sqlstate = fields.sqlstate,
                             .message = Field(error, PG_DIAG_MESSAGE_PRIMARY),
                             .context = Field(error, PG_DIAG_CONTEXT),
                             .source_function = Field(error, PG_DIAG_SOURCE_FUNCTION)});
  fields.message = std::move(safe.message);
  fields.is_of_function = safe.is_of_function;
  // A function may raise whatever it likes as a name.
  if (fields.is_of_function) return fields;
  fields.schema = Field(error, PG_DIAG_SCHEMA_NAME);
  fields.table = Field(error, PG_DIAG_TABLE_NAME);
  fields.column = Field(error, PG_DIAG_COLUMN_NAME);
  fields.constraint = Field(error, PG_DIAG_CONSTRAINT_NAME);
  return fields;
}

}  // namespace pgteal::pg
