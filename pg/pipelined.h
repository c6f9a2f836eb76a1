#ifndef PGTEAL_PG_PIPELINED_H_
#define PGTEAL_PG_PIPELINED_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"
#include "pg/error.h"
#include "pg/ids.h"

namespace pgteal::pg {

// Parameters of one statement. Values are borrowed until the Send… call returns (libpq copies
// them).
class Params {
 public:
  void Clear();
  void AddNull();
  void AddText(std::string_view text);  // must be followed by a NUL byte in memory
  void AddBinary(std::string_view bytes);
  int count() const { return static_cast<int>(values_.size()); }
  size_t bytes() const { return bytes_; }

 private:
  friend class Pipelined;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  size_t bytes_ = 0;
};

// What one statement answered.
struct Answer {
  uint64_t affected_rows = 0;
  std::optional<std::string> first_value;  // first column of the first row, if there was a row
};

// A statement of a pipeline failed; `index` counts the statements since the last Finish(). Nothing
// after it was executed.
class StatementFailed : public ServerError {
 public:
  StatementFailed(const ServerError& cause, size_t index) : ServerError(cause), index_(index) {}
  size_t index() const { return index_; }

 private:
  size_t index_;
};

// Statements that are sent without waiting for the answers of those before (libpq's pipeline mode).
// Never deadlocks on full socket buffers: whenever sending would block, answers are read. Output is
// bounded: what is not yet on the wire never exceeds kFlushBytes plus one statement. COPY is not
// possible meanwhile (Leave() first). Belongs to the thread of its Connection.
class Pipelined {
 public:
  explicit Pipelined(Connection& connection) : connection_(connection) {}
  // Leaving with answers outstanding makes the connection useless; its owner drops it then.
  ~Pipelined() = default;
  Pipelined(const Pipelined&) = delete;
  Pipelined& operator=(const Pipelined&) = delete;

  // Each returns the statement's index. The pipeline is entered with the first one.
  size_t SendPrepare(const std::string& name, const std::string& sql,
                     const std::vector<Oid>& types);
  size_t SendPrepared(const std::string& name, const Params& params);
  size_t SendSql(const std::string& sql);
  size_t SendSql(const std::string& sql, const Params& params);

  // Puts what is buffered on the wire and asks the server to answer, without waiting for it.
  void Flush();
  // Asks the server to answer what has been sent before it goes on. Leaves with what follows.
  void RequestAnswers();
  // Waits for the answers of the first `count` statements since the last Finish(), for which
  // RequestAnswers() has asked. Fewer when one has failed: Finish() throws that.
  const std::vector<Answer>& Await(size_t count);
  // Waits for all answers. Throws StatementFailed for the first failure after draining the rest, so
  // that the connection stays usable (inside its failed transaction).
  // The answers are valid until the next Send… call.
  const std::vector<Answer>& Finish();
  // Finish(), then back to normal mode.
  void Leave();

  size_t sent() const { return sent_; }

 private:
  // Large enough that system calls do not matter, small enough that libpq never moves much memory.
  static constexpr size_t kFlushBytes = 64 * 1024;

  void Enter();
  size_t Sent(int ok, size_t bytes);
  void Pump();
  void Collect();
  bool CollectOne();

  Connection& connection_;
  bool is_open_ = false;
  size_t sent_ = 0;   // statements since the last Finish()
  size_t syncs_ = 0;  // syncs sent and not yet answered
  size_t unflushed_bytes_ = 0;
  bool is_inside_result_ = false;
  std::vector<Answer> answers_;
  bool answers_are_read_ = false;
  std::optional<StatementFailed> failure_;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_PIPELINED_H_
