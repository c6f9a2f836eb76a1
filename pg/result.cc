#include "pg/result.h"

#include <libpq-fe.h>

#include <charconv>

#include "pg/error.h"

namespace pgteal::pg {

void Result::Clear::operator()(pg_result* result) const { PQclear(result); }

int Result::rows() const { return PQntuples(result_.get()); }
int Result::columns() const { return PQnfields(result_.get()); }
bool Result::IsNull(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) == 1;
}

std::string_view Result::Text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

int64_t Result::Int(int row, int column) const {
  const auto text = Text(row, column);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw ProtocolError("the server sent no number where a number was expected");
  }
  return value;
}

Lsn Result::LsnAt(int row, int column) const {
  const auto lsn = Lsn::Parse(Text(row, column));
  if (!lsn) throw ProtocolError("the server sent no LSN where an LSN was expected");
  return *lsn;
}

std::optional<std::string> Result::Optional(int row, int column) const {
  if (IsNull(row, column)) return std::nullopt;
  return String(row, column);
}

uint64_t Result::affected_rows() const {
  const std::string_view text = PQcmdTuples(result_.get());
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace pgteal::pg
