#include "pipeline/pooler_pause.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/schema.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// As PoolerPauseDetail() writes it. $1 the deployment, $2 and $3 the kinds.
constexpr const char* kLastSql = R"(
SELECT kind, substring(detail from '^(.*) at epoch [0-9]+$'),
       substring(detail from '[0-9]+$')::bigint
  FROM pgteal.event WHERE deployment = $1 AND kind IN ($2, $3) ORDER BY id DESC LIMIT 1)";

}  // namespace

std::string PoolerPauseDetail(const PoolerPause& pause) {
  return fmt::format("{} at epoch {}", pause.database, pause.epoch);
}

std::optional<PoolerPause> LastPoolerPause(pg::Connection& side, const std::string& deployment) {
  if (!applier::HasSchema(side)) return std::nullopt;
  const auto query = LastPoolerPauseQuery(deployment);
  return LastPoolerPauseFrom(side.Exec(query.sql, query.params));
}

pg::Connection::Query LastPoolerPauseQuery(const std::string& deployment) {
  return {kLastSql, {deployment, kPoolerPaused, kPoolerResumed}};
}

std::optional<PoolerPause> LastPoolerPauseFrom(const pg::Result& last) {
  if (last.is_empty() || last.Text(0, 0) != kPoolerPaused) return std::nullopt;
  return PoolerPause{.database = last.String(0, 1), .epoch = last.Int(0, 2)};
}

void WarnOfPoolerPause(const PoolerPause& pause) {
  spdlog::warn(
      "PgBouncer may still keep the clients of {} waiting: a switchover was killed behind its "
      "PAUSE. `pgteal switchover` or `rollback` with --pgbouncer (--dry-run will do) points it at "
      "the side that is open and lets them go on; by hand: point its entry there, RELOAD, RESUME "
      "{}",
      pause.database, pg::QuoteIdentifier(pause.database));
}

}  // namespace pgteal::pipeline
