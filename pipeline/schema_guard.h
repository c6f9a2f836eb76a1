#ifndef PGTEAL_PIPELINE_SCHEMA_GUARD_H_
#define PGTEAL_PIPELINE_SCHEMA_GUARD_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pg/interrupt.h"
#include "pg/lsn.h"
#include "pipeline/doorbell.h"
#include "pipeline/options.h"
#include "pipeline/schema_baseline.h"

namespace pgteal::pipeline {

// Notices that blue's schema has changed and green's has not: pgteal.deployment goes from streaming
// to degraded, with an event of kind 'ddl' that names the objects, and back once green has them.
// Looks at a fingerprint of blue's catalog every few seconds and whenever the stream announces
// a table anew, in a thread and with sessions of its own, so the stream never waits for it. An
// error of its own is logged and ends one look, never the session.
class SchemaGuard {
 public:
  SchemaGuard(const Deployment& deployment, DdlGuard mode);
  ~SchemaGuard();
  SchemaGuard(const SchemaGuard&) = delete;
  SchemaGuard& operator=(const SchemaGuard&) = delete;

  // Before the first stream of a deployment: what differs at this moment is not a change. With the
  // caller's sessions. Throws ConnectionLost.
  void Prepare(pg::Connection& blue, pg::Connection& green);
  // After Prepare(), before Start(): up to where green has to get before a table that has come
  // empty can be told to be complete.
  std::optional<pg::Lsn> awaited() const { return awaited_; }
  void Start();
  // From any thread: look at the next opportunity.
  void LookSoon();
  // Ends the thread and looks once if it never has, or if a table was awaited, with the caller's
  // sessions: a short run tells what it has met, too. `reached`: up to where green has everything,
  // which its progress need not say.
  void LookOnce(pg::Connection& blue, pg::Connection& green, pg::Lsn reached);
  // Ends the thread and looks once more, because something failed that a change may be the cause
  // of. A server that does not answer is not waited for long.
  void LookLast();

 private:
  void Run();
  void Stop();
  void LookSafely(const pg::Interrupt& interrupt);
  void Look(pg::Connection& blue, pg::Connection& green);
  void Connect(const pg::Interrupt& interrupt);
  void RecordTables(pg::Connection& blue, pg::Connection& green, const std::string& tokens);
  void ReportStatements(pg::Connection& blue, pg::Connection& green);
  void Report(pg::Connection& green, const std::vector<SchemaDifference>& changes);

  const Deployment& deployment_;
  const DdlGuard mode_;
  Doorbell wake_;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<bool> is_asked_ = false;
  pg::Interrupt interrupt_;
  // The guard's thread; before it starts and after it has ended, the main thread.
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::Connection> green_;
  std::string tokens_;    // fingerprints at the last whole comparison
  std::optional<pg::Lsn> awaited_;
  std::string awaiting_tokens_;  // what they were then
  pg::Lsn reached_;
  std::string reported_;  // the changes of the last report
  bool has_log_ = false;
  bool has_looked_ = false;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_GUARD_H_
