#ifndef PGTEAL_TESTS_SUPPORT_SQL_H_
#define PGTEAL_TESTS_SUPPORT_SQL_H_

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace pgteal::tests {

// A server refused a statement, or the connection is gone (sqlstate is then empty).
class SqlError : public std::runtime_error {
 public:
  SqlError(const std::string& message, std::string sqlstate)
      : std::runtime_error(message), sqlstate_(std::move(sqlstate)) {}
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  std::string sqlstate_;
};

using Row = std::vector<std::string>;  // NULL is "\N"
using Rows = std::vector<Row>;

// One plain session on a server, for tests: shares no code with what is tested. Used by one thread.
// Throws SqlError.
class Sql {
 public:
  explicit Sql(const std::string& conninfo);

  // One or more statements; results are thrown away. Sent as one simple query: several statements
  // without BEGIN are one transaction.
  void Exec(const std::string& sql);
  // The rows of the last statement.
  Rows Query(const std::string& sql);
  // The one value of the one row; throws SqlError unless it is one.
  std::string Scalar(const std::string& sql);
  // The SQLSTATE it fails with, or "" when it does not. Never throws for a server error.
  std::string Failure(const std::string& sql);

  // Sends without waiting; Finish() waits and throws what Exec would have. For statements that
  // must hang while the test does something else.
  void Send(const std::string& sql);
  void Finish();

  int backend_pid() const;
  // False once the server has closed the connection, even if nobody has used it since.
  bool IsAlive();

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_SQL_H_
