#ifndef PGTEAL_PG_ERROR_H_
#define PGTEAL_PG_ERROR_H_

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace pgteal::pg {

// What ends a session. Everything that is expected (a full ring, no data yet) is returned instead.
// `what()` is one lower-case sentence that names the object; `hint()` is the operator's next step.
// Neither ever holds a row value, a password or a connection string.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, std::string hint = "");

  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& hint() const { return hint_; }

  // Adds where it happened, once, on the way up: "…, relation public.t, xid 7, lsn 0/1A2B".
  void AddContext(std::string_view note);
  // For whoever knows more of what a server's refusal means.
  void SetHint(std::string hint) { hint_ = std::move(hint); }

 private:
  std::string text_;
  std::string hint_;
};

// The connection could not be made or broke. Retried from the durable LSN.
class ConnectionLost : public Error {
  using Error::Error;
};

// The connection broke while a COMMIT was under way: whether it happened is decided by reading the
// progress row after the old backend is fenced off, and by nothing else.
class CommitInDoubt : public ConnectionLost {
  using ConnectionLost::ConnectionLost;
};

// The stream or a file does not follow its format. Never retried: the same bytes come again.
class ProtocolError : public Error {
  using Error::Error;
};

// A guardrail says no (exit code 3): going on would lose or double data, or break blue.
class Refused : public Error {
  using Error::Error;
};

// Wrong options or an unusable environment (exit code 2).
class ConfigError : public Error {
  using Error::Error;
};

// A wait was ended by a stop request. Not a failure.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

// What a server's ErrorResponse says, without the parts that may hold row values (DETAIL, CONTEXT,
// and the primary message of data exceptions, constraint violations and functions).
struct ServerErrorFields {
  std::string sqlstate;
  std::string message;
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
  bool is_of_function = false;  // see SafeError
};

// A server refused a statement.
class ServerError : public Error {
 public:
  explicit ServerError(ServerErrorFields fields);

  const std::string& sqlstate() const { return fields_.sqlstate; }
  const ServerErrorFields& fields() const { return fields_; }
  // It passes by itself: start again from the durable LSN, with back-off. Otherwise the same
  // statement will fail again, and a person is needed.
  bool is_transient() const;
  // Class 23: unique, foreign key, check, not null, exclusion.
  bool is_constraint_violation() const { return sqlstate().starts_with("23"); }

 private:
  ServerErrorFields fields_;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_ERROR_H_
