#ifndef PGTEAL_PG_RESULT_H_
#define PGTEAL_PG_RESULT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pg/lsn.h"

struct pg_result;  // libpq's PGresult; only pg/*.cc sees its definition

namespace pgteal::pg {

// Owns one libpq result: rows in text format, or the count of a command.
class Result {
 public:
  Result() = default;
  explicit Result(pg_result* owned) : result_(owned) {}

  int rows() const;
  int columns() const;
  bool is_empty() const { return rows() == 0; }
  bool IsNull(int row, int column) const;
  // Valid as long as this Result. Empty for NULL.
  std::string_view Text(int row, int column) const;
  std::string String(int row, int column) const { return std::string(Text(row, column)); }
  // Throw ProtocolError when the text is not such a value.
  int64_t Int(int row, int column) const;
  bool Bool(int row, int column) const { return Text(row, column) == "t"; }
  pg::Lsn LsnAt(int row, int column) const;
  std::optional<std::string> Optional(int row, int column) const;

  // Rows touched or returned: INSERT, UPDATE, DELETE, COPY, SELECT …; 0 for anything else.
  uint64_t affected_rows() const;

  pg_result* get() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_RESULT_H_
