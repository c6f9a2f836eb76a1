#ifndef PGTEAL_PG_COPY_H_
#define PGTEAL_PG_COPY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pg/connection.h"

namespace pgteal::pg {

// One COPY … FROM STDIN: constructor starts it, Write sends bytes in the chosen format, Finish ends
// it. Not possible in pipeline mode. If it is abandoned, the destructor tells the server so that
// nothing of it is kept; it never throws.
class CopyIn {
 public:
  CopyIn(Connection& connection, const std::string& sql);
  ~CopyIn();
  CopyIn(const CopyIn&) = delete;
  CopyIn& operator=(const CopyIn&) = delete;

  // Does not keep the bytes. Waits when the server is slower than we are.
  void Write(std::string_view bytes);
  // Rows that the server took. Throws ServerError.
  uint64_t Finish();

 private:
  Connection& connection_;
  bool is_open_ = true;
};

// One COPY … TO STDOUT.
class CopyOut {
 public:
  CopyOut(Connection& connection, const std::string& sql);
  // The same in two steps: the server begins when it is asked, and whoever constructs waits for it.
  static void Ask(Connection& connection, const std::string& sql);
  explicit CopyOut(Connection& connection);
  ~CopyOut();
  CopyOut(const CopyOut&) = delete;
  CopyOut& operator=(const CopyOut&) = delete;

  // The next chunk (one row, or the header), valid until the next call; none at the end.
  std::optional<std::string_view> Next();
  uint64_t rows() const { return rows_; }  // after the end

 private:
  Connection& connection_;
  char* chunk_ = nullptr;  // libpq's, freed with PQfreemem
  uint64_t rows_ = 0;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_COPY_H_
