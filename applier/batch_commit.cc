#include "applier/batch_commit.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "applier/errors.h"
#include "applier/progress_row.h"
#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::applier {
namespace {

constexpr const char* kPositionsSql =
    "SELECT pg_current_wal_insert_lsn()::text || ' ' || pg_current_wal_flush_lsn()::text";

}  // namespace

BatchCommit::BatchCommit(pg::Connection& connection, pg::Pipelined& pipelined,
                         StatementCache& statements, CommitOptions options)
    : connection_(connection),
      pipelined_(pipelined),
      statements_(statements),
      options_(std::move(options)) {}

void BatchCommit::SetUp(const std::string& settings) {
  if (options_.origin.empty()) {
    connection_.Exec(settings);
    return;
  }
  try {
    connection_.Exec(settings + "; " + OriginSql());
    has_origin_ = true;
  } catch (const pg::ServerError& error) {
    if (connection_.is_broken()) throw;
    spdlog::debug("a replication origin is tried again: {}", error.what());
    connection_.Exec(settings);
  }
}

std::string BatchCommit::OriginSql() const {
  return fmt::format(
      "SELECT CASE WHEN pg_replication_origin_oid({0}) IS NULL"
      " THEN pg_replication_origin_create({0}) END;"
      " SELECT pg_replication_origin_session_setup({0})",
      pg::QuoteLiteral(options_.origin));
}

// The origin is a tag only: without one (all of green's origins are in use, say) the stream is as
// correct, and a reverse stream could not tell our commits apart.
void BatchCommit::Own(uint64_t generation) {
  generation_ = generation;
  if (has_origin_ || options_.origin.empty()) return;
  try {
    connection_.Exec(OriginSql());
    has_origin_ = true;
  } catch (const pg::ServerError& error) {
    if (connection_.is_broken()) throw;
    spdlog::warn("commits on {} bear no replication origin: {}", options_.sides.green,
                 error.what());
  }
}

pg::Lsn BatchCommit::ParseLsn(std::string_view text) const {
  const auto lsn = pg::Lsn::Parse(text);
  if (!lsn) ThrowNoPosition();
  return *lsn;
}

void BatchCommit::ThrowNoPosition() const {
  throw pg::ProtocolError(options_.sides.Format("green did not tell its WAL position"));
}

size_t BatchCommit::SendProgress(const Batch& batch) {
  const size_t progress =
      SendAdvance(pipelined_, statements_, options_.slot, generation_, has_origin_, batch);
  // Prepared before the COMMIT: behind it only the question itself may fail.
  statements_.Prepare(pipelined_, kPositionsSql, {});
  return progress;
}

void BatchCommit::Finish(size_t progress, Applied* applied) {
  const size_t commit = pipelined_.SendSql("COMMIT");
  const size_t position =
      pipelined_.SendPrepared(statements_.Prepare(pipelined_, kPositionsSql, {}), {});
  try {
    const std::string positions = pipelined_.Finish()[position].first_value.value_or("");
    const auto space = positions.find(' ');
    if (space == std::string::npos) ThrowNoPosition();
    applied->insert_lsn = ParseLsn(std::string_view(positions).substr(0, space));
    applied->flush_lsn = ParseLsn(std::string_view(positions).substr(space + 1));
  } catch (const pg::StatementFailed& failure) {
    if (failure.index() == progress && failure.sqlstate() == kFencedOff) {
      throw TakenOver(fmt::format("another process has taken over slot {}", options_.slot),
                      "Let that one run, or stop it and start this one again.");
    }
    // The COMMIT went through and only the question behind it failed: ask again elsewhere.
    if (failure.index() > commit) {
      throw pg::CommitInDoubt(options_.sides.Format("green answered no WAL position"));
    }
    throw;
  } catch (const pg::ConnectionLost& lost) {
    throw pg::CommitInDoubt(fmt::format("commit in doubt: {}", lost.what()));
  }
}

}  // namespace pgteal::applier
