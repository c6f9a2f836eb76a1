#include "tests/support/sql.h"

#include <libpq-fe.h>
#include <poll.h>

#include <utility>

namespace pgteal::tests {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

bool Succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

void ThrowUnlessDone(PGconn* connection, const PGresult* result, const std::string& sql) {
  if (result != nullptr && Succeeded(result)) return;
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  throw SqlError(std::string(PQerrorMessage(connection)) + "statement: " + sql.substr(0, 500),
                 state == nullptr ? "" : state);
}

}  // namespace

void Sql::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

Sql::Sql(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw SqlError(PQerrorMessage(connection_.get()), "");
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

void Sql::Exec(const std::string& sql) {
  const Result result(PQexec(connection_.get(), sql.c_str()));
  ThrowUnlessDone(connection_.get(), result.get(), sql);
}

Rows Sql::Query(const std::string& sql) {
  const Result result(PQexec(connection_.get(), sql.c_str()));
  ThrowUnlessDone(connection_.get(), result.get(), sql);
  Rows rows(static_cast<size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      const bool is_null = PQgetisnull(result.get(), row, column) != 0;
      rows[static_cast<size_t>(row)].emplace_back(is_null ? "\\N"
                                                          : PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

std::string Sql::Scalar(const std::string& sql) {
  const Rows rows = Query(sql);
  if (rows.size() != 1 || rows[0].size() != 1) {
    throw SqlError("expected one value from: " + sql, "");
  }
  return rows[0][0];
}

std::string Sql::Failure(const std::string& sql) {
  const Result result(PQexec(connection_.get(), sql.c_str()));
  if (Succeeded(result.get())) return "";
  const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return state == nullptr ? "08006" : state;
}

void Sql::Send(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) != 1) {
    throw SqlError(PQerrorMessage(connection_.get()), "");
  }
}

void Sql::Finish() {
  Result failed;
  while (Result result{PQgetResult(connection_.get())}) {
    if (!Succeeded(result.get())) failed = std::move(result);
  }
  if (failed) ThrowUnlessDone(connection_.get(), failed.get(), "(sent earlier)");
}

int Sql::backend_pid() const { return PQbackendPID(connection_.get()); }

bool Sql::IsAlive() {
  pollfd hang_up{PQsocket(connection_.get()), POLLRDHUP, 0};
  return PQstatus(connection_.get()) == CONNECTION_OK && poll(&hang_up, 1, 0) == 0;
}

}  // namespace pgteal::tests
