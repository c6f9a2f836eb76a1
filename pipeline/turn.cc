#include "pipeline/turn.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pg/sqlstate.h"
#include "pipeline/beside.h"
#include "pipeline/fence.h"
#include "pipeline/pooler_pause.h"
#include "pipeline/table_state.h"
#include "pipeline/turn_lock.h"
#include "pipeline/way_back.h"

namespace pgteal::pipeline {
namespace {

// The walsender of a process that is being told to end needs a moment to let go of the slot.
constexpr const char* kEndWalsenderSql =
    "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
    " WHERE slot_name = $1 AND active_pid IS NOT NULL";
constexpr const char* kGone = "42704";
constexpr int kDropAttempts = 20;

// The name taken off, the attempt cannot be completed any more. Waits for an opening that commits
// at this very moment. One that is complete keeps its name until the closing side knows: see
// Forget().
void Disarm(pg::Connection& to, const std::string& deployment, const TurnRow& left) {
  to.Exec(
      "UPDATE pgteal.turn SET attempt = NULL WHERE deployment = $1 AND attempt = $2"
      " AND epoch <= $3",
      {deployment, left.attempt, std::to_string(left.epoch)});
}

// The opened side need not bear witness any more. If it cannot be told, it keeps a name that does
// no harm.
void Forget(pg::Connection& to, const std::string& deployment, const std::string& attempt) {
  try {
    to.Exec("UPDATE pgteal.turn SET attempt = NULL WHERE deployment = $1 AND attempt = $2",
            {deployment, attempt});
  } catch (const pg::ConnectionLost& error) {
    spdlog::debug("{} still bears the name of the attempt: {}", to.description(), error.what());
  }
}

// False for a side that has been cleaned up, or is another database.
bool HasTurn(pg::Connection& side, const std::string& deployment) {
  return applier::HasSchema(side) &&
         !side.Exec("SELECT FROM pgteal.turn WHERE deployment = $1", {deployment}).is_empty();
}

pg::ConnectionLost OnlyOpeningSideKnows() {
  return pg::ConnectionLost(
      "a switchover was cut off at its point of no return, and the side that was to be opened "
      "cannot be reached: only it knows what happened",
      "Bring it back; the next run, switchover or status decides and goes on.");
}

pg::Refused NobodyKnows(pg::Connection& from, pg::Connection& to, const std::string& deployment) {
  const std::string row = "WHERE deployment = " + pg::QuoteLiteral(deployment);
  return pg::Refused(
      fmt::format("a switchover was cut off at its point of no return, and {} has nothing of it on "
                  "record, which alone could tell whether it was opened: {} stays closed",
                  to.description(), from.description()),
      fmt::format("Look whether the connection string leads to the right database. If the record "
                  "is gone for good, on the closed side: when the other one has taken writes,"
                  " BEGIN READ WRITE; UPDATE pgteal.turn SET epoch = epoch + 1, attempt = NULL,"
                  " phase = NULL {}; COMMIT; then `pgteal cleanup`. When it never has, BEGIN READ"
                  " WRITE; UPDATE pgteal.turn SET phase = 'fenced' {}; COMMIT; then `pgteal status`"
                  " opens the closed side.",
                  row, row));
}

// `is_disarmed`: the opening side has been asked, so that the attempt can never be completed.
void Undo(pg::Connection& from, const std::string& deployment, const std::string& attempt,
          bool is_disarmed) {
  from.Exec("BEGIN");
  LockFences(from);  // first, as whoever closes this side does
  const auto row = from.Exec(
      "UPDATE pgteal.turn SET attempt = NULL, phase = NULL, updated_at = clock_timestamp()"
      " WHERE deployment = $1 AND attempt = $2 AND ($3::boolean OR phase <> 'committing')",
      {deployment, attempt, is_disarmed ? "true" : "false"});
  if (row.affected_rows() == 1) {
    OpenDatabase(from, deployment);
    DisarmWayBack(from, deployment);
  }
  from.Exec("COMMIT");
  if (row.affected_rows() == 0 && !is_disarmed && ReadTurn(from, deployment).attempt == attempt) {
    throw OnlyOpeningSideKnows();
  }
}

// The row says that something is left to do until the slot is gone.
void Finish(pg::Connection& from, const std::string& deployment, int64_t epoch) {
  DropSendingSlot(from, deployment);
  from.Exec(
      "UPDATE pgteal.turn SET epoch = $2, attempt = NULL, phase = NULL,"
      " updated_at = clock_timestamp() WHERE deployment = $1",
      {deployment, std::to_string(epoch)});
}

// One that cannot be reached has no session.
struct Side {
  std::unique_ptr<pg::Connection> session;
  // What it had on record when we connected.
  TurnRow turn;
  std::optional<PoolerPause> pooler_pause;
  std::string deployment_state;
};

struct Sides {
  Side source;
  Side target;
};

pg::Connection::Query TurnQuery(const std::string& deployment) {
  return {
      "SELECT epoch, attempt, phase, way_back IS NOT NULL FROM pgteal.turn WHERE deployment = $1",
      {deployment}};
}

TurnRow TurnFrom(const pg::Result& row) {
  if (row.is_empty()) return {};
  return {.epoch = row.Int(0, 0),
          .attempt = row.String(0, 1),
          .phase = row.String(0, 2),
          .has_way_back = row.Bool(0, 3)};
}

// All at once: a far side is a round trip away.
void ReadRecord(const std::string& deployment, Side* side) {
  if (!applier::HasSchema(*side->session)) return;
  const auto rows = side->session->ExecTogether(
      {TurnQuery(deployment), DeploymentStateQuery(deployment), LastPoolerPauseQuery(deployment)});
  side->turn = TurnFrom(rows[0]);
  side->deployment_state = DeploymentStateFrom(rows[1]);
  side->pooler_pause = LastPoolerPauseFrom(rows[2]);
}

// What of a pause cannot be read must not keep a closed side closed.
void ReadMost(const std::string& deployment, Side* side) {
  side->turn = ReadTurn(*side->session, deployment);
  side->deployment_state = DeploymentState(*side->session, deployment);
  try {
    side->pooler_pause = LastPoolerPause(*side->session, deployment);
  } catch (const pg::ServerError& error) {
    if (side->session->is_broken()) throw;
    spdlog::warn("whether PgBouncer is paused could not be read: {}", error.what());
  }
}

std::future<Side> ConnectBeside(const pg::ConnInfo& info, const std::string& deployment,
                                const pg::SessionOptions& session) {
  return Beside([&] {
    Side side{.session = std::make_unique<pg::Connection>(info, session),
              .turn = {},
              .pooler_pause = {},
              .deployment_state = {}};
    try {
      ReadRecord(deployment, &side);
    } catch (const pg::ServerError&) {
      if (side.session->is_broken()) throw;
      ReadMost(deployment, &side);
    }
    return side;
  });
}

// A side that cannot be reached stays empty, unless neither can.
Sides Connect(const Deployment& deployment, const pg::SessionOptions& session) {
  Sides sides;
  auto source = ConnectBeside(deployment.source, deployment.name, session);
  auto target = ConnectBeside(deployment.target, deployment.name, session);
  try {
    sides.source = source.get();
  } catch (const pg::ConnectionLost& error) {
    spdlog::debug("settling without {}: {}", deployment.source.Describe(), error.what());
  }
  try {
    sides.target = target.get();
  } catch (const pg::ConnectionLost& error) {
    if (!sides.source.session) throw;
    spdlog::debug("settling without {}: {}", deployment.target.Describe(), error.what());
  }
  return sides;
}

// Green has it on record; a stream that runs back knows green as its source.
void WarnOfPoolerPauses(const Sides& sides) {
  for (const auto* side : {&sides.source, &sides.target}) {
    if (side->pooler_pause) WarnOfPoolerPause(*side->pooler_pause);
  }
}

// `to` is null when it cannot be reached.
Settled Settle(pg::Connection& from, pg::Connection* to, const std::string& deployment,
               const TurnRow& left) {
  const bool is_on_record = to != nullptr && HasTurn(*to, deployment);
  if (!is_on_record && left.phase == "committing") {
    if (to == nullptr) throw OnlyOpeningSideKnows();
    throw NobodyKnows(from, *to, deployment);
  }
  if (is_on_record) {
    Disarm(*to, deployment, left);
    const int64_t epoch = ReadTurn(*to, deployment).epoch;
    if (epoch > left.epoch) {
      Finish(from, deployment, epoch);
      Forget(*to, deployment, left.attempt);
      return Settled::kFinished;
    }
  }
  Undo(from, deployment, left.attempt, is_on_record);
  if (to != nullptr) RemoveWayBack(*to, deployment);
  return Settled::kUndone;
}

// Whether the row is of an attempt that is to be settled: any, or our own.
bool IsLeft(const TurnRow& row, const std::string& own_attempt) {
  return !row.phase.empty() && (own_attempt.empty() || row.attempt == own_attempt);
}

// The way back of an attempt that was undone while its side was away. One that a tool has just made
// looks the same: with the locks of both sides no tool is at work.
Settled SettleWayBack(const Sides& sides, const std::string& deployment) {
  const auto both = {sides.source.session.get(), sides.target.session.get()};
  for (auto* side : both) {
    if (!LockSettling(*side, deployment) || !TryLockTurn(*side, deployment)) return Settled::kAlive;
  }
  for (auto* side : both) RemoveWayBack(*side, deployment);
  return Settled::kNothing;
}

Settled SettleFound(const Sides& sides, const std::string& deployment,
                    const std::string& own_attempt) {
  const bool is_ours = !own_attempt.empty();
  bool has_way_back = false;
  for (const bool is_source : {true, false}) {
    const Side& closing = is_source ? sides.source : sides.target;
    pg::Connection* from = closing.session.get();
    pg::Connection* to = is_source ? sides.target.session.get() : sides.source.session.get();
    if (from == nullptr) continue;
    has_way_back |= closing.turn.has_way_back;
    if (!IsLeft(closing.turn, own_attempt)) continue;
    if (!LockSettling(*from, deployment) && !is_ours) return Settled::kAlive;
    // Before it is read how far the attempt is: a living tool could still take it further.
    const bool is_alone = is_ours || TryLockTurn(*from, deployment);
    const TurnRow left = ReadTurn(*from, deployment);
    if (!IsLeft(left, own_attempt)) continue;
    if (!is_alone) return Settled::kAlive;
    // First, because settling ends the walsender of the stream that may be watching, and with its
    // session this one.
    if (!is_ours) WarnOfPoolerPauses(sides);
    return Settle(*from, to, deployment, left);
  }
  // The row that says how far the attempt was is on the side that is missing.
  const bool is_whole = sides.source.session && sides.target.session;
  if (is_ours && !is_whole) {
    throw pg::ConnectionLost("the side that was being closed cannot be reached");
  }
  return has_way_back && !is_ours && is_whole ? SettleWayBack(sides, deployment)
                                              : Settled::kNothing;
}

Settled SettleOver(const Sides& sides, const std::string& deployment,
                   const std::string& own_attempt) {
  const Settled settled = SettleFound(sides, deployment, own_attempt);
  if (own_attempt.empty() && settled == Settled::kNothing) WarnOfPoolerPauses(sides);
  return settled;
}

// Neither has anything that had to be settled or waited for: what was read when we connected holds.
bool IsQuiet(const Sides& sides) {
  for (const auto* side : {&sides.source, &sides.target}) {
    if (!side->session || !side->turn.phase.empty() || side->turn.has_way_back) return false;
  }
  return true;
}

int64_t EpochOf(const Sides& sides) {
  return std::max(sides.source.turn.epoch, sides.target.turn.epoch);
}

}  // namespace

TurnRow ReadTurn(pg::Connection& side, const std::string& deployment) {
  if (!applier::HasSchema(side)) return {};
  const auto query = TurnQuery(deployment);
  return TurnFrom(side.Exec(query.sql, query.params));
}

int64_t CurrentEpoch(const Deployment& deployment, const pg::SessionOptions& session) {
  auto source = ConnectBeside(deployment.source, deployment.name, session);
  auto target = ConnectBeside(deployment.target, deployment.name, session);
  return EpochOf({.source = source.get(), .target = target.get()});
}

Deployment Oriented(const Deployment& deployment, int64_t epoch) {
  if (epoch % 2 == 0) return deployment;
  return {.source = deployment.target,
          .target = deployment.source,
          .name = deployment.name,
          .sides = applier::SideNamesAt(epoch)};
}

Settled SettleTurn(const Deployment& deployment, const std::string& own_attempt,
                   const pg::SessionOptions& session) {
  return SettleOver(Connect(deployment, session), deployment.name, own_attempt);
}

SettledEpoch SettleAndFindEpoch(const Deployment& deployment, const pg::SessionOptions& session) {
  SettledEpoch result;
  {
    Sides sides = Connect(deployment, session);
    result.settled = SettleOver(sides, deployment.name, "");
    if (result.settled == Settled::kNothing && IsQuiet(sides)) {
      result.epoch = EpochOf(sides);
      result.target_state = sides.target.deployment_state;
      result.sides = {.source = std::move(sides.source.session),
                      .target = std::move(sides.target.session)};
      return result;
    }
  }
  result.epoch = CurrentEpoch(deployment, session);
  return result;
}

void DropSendingSlot(pg::Connection& side, const std::string& slot) {
  for (int attempt = 1; pg::FindSlot(side, slot); ++attempt) {
    side.Exec(kEndWalsenderSql, {slot});
    try {
      pg::DropSlot(side, slot);
    } catch (const pg::ServerError& error) {
      // A running pgteal has taken it again before it saw that the turn is complete, or somebody
      // else has dropped it.
      const bool is_expected = error.sqlstate() == pg::kObjectInUse || error.sqlstate() == kGone;
      if (!is_expected || attempt == kDropAttempts) throw;
    }
  }
}

}  // namespace pgteal::pipeline
