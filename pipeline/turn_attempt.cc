#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "applier/schema.h"
#include "pg/error.h"
#include "pipeline/turn.h"
#include "pipeline/turn_lock.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kSettledElsewhere =
    "somebody else has ended this attempt: another pgteal found it without its tool";

pg::Refused TurnedElsewhere(const std::string& deployment) {
  return pg::Refused(
      fmt::format("another tool has been at its turn since this one looked at deployment {}",
                  deployment),
      "Nothing was changed. `pgteal status` says which side takes the writes now; start again if "
      "there is still something to do.");
}

}  // namespace

void RequireEpoch(pg::Connection& from, pg::Connection& to, const std::string& deployment,
                  int64_t epoch) {
  const TurnRow closing = ReadTurn(from, deployment);
  const TurnRow opening = ReadTurn(to, deployment);
  const bool is_idle = closing.phase.empty() && opening.phase.empty();
  if (!is_idle || std::max(closing.epoch, opening.epoch) != epoch) {
    throw TurnedElsewhere(deployment);
  }
}

TurnAttempt::TurnAttempt(std::string deployment, std::string attempt, int64_t epoch)
    : deployment_(std::move(deployment)), attempt_(std::move(attempt)), epoch_(epoch) {}

void TurnAttempt::Lock(pg::Connection& from, pg::Connection& to) {
  if (!TryLockTurn(from, deployment_)) {
    throw pg::Refused(
        fmt::format("a switchover or a sync-sequences of deployment {} is under way", deployment_),
        "Wait for it, or end the tool that makes it.");
  }
  RequireEpoch(from, to, deployment_, epoch_);
}

void TurnAttempt::Begin(pg::Connection& from, pg::Connection& to) {
  // What we know may be out of date if we have lost our lock: never back to an older turn.
  constexpr const char* kBeginSql =
      "INSERT INTO pgteal.turn AS known (deployment, epoch, attempt, phase)"
      " VALUES ($1, $2, $3, $4) ON CONFLICT (deployment) DO UPDATE SET epoch = $2, attempt = $3,"
      " phase = $4, updated_at = clock_timestamp()"
      " WHERE known.epoch <= $2 AND known.phase IS NULL";
  applier::EnsureSchema(from);
  for (auto* side : {&from, &to}) {
    const std::optional<std::string> phase =
        side == &from ? std::optional<std::string>("preparing") : std::nullopt;
    const auto row = side->Exec(kBeginSql, {deployment_, std::to_string(epoch_), attempt_, phase});
    if (row.affected_rows() != 1) throw TurnedElsewhere(deployment_);
  }
}

void TurnAttempt::SetPhase(pg::Connection& from, const std::string& phase) {
  const auto row = from.Exec(
      "UPDATE pgteal.turn SET phase = $3, updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND attempt = $2",
      {deployment_, attempt_, phase});
  if (row.affected_rows() != 1) throw pg::Refused(kSettledElsewhere, "Start it again.");
}

void TurnAttempt::Complete(pg::Connection& to) {
  const auto row = to.Exec(
      "UPDATE pgteal.turn SET epoch = epoch + 1, way_back = NULL, updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND attempt = $2 AND epoch = $3",
      {deployment_, attempt_, std::to_string(epoch_)});
  if (row.affected_rows() != 1) throw pg::Refused(kSettledElsewhere, "Start it again.");
}

}  // namespace pgteal::pipeline
