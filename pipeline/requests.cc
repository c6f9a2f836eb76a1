#include "pipeline/requests.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{100};
constexpr milliseconds kLookHeld{5};
// Whoever asked has gone away without a word when the stream stands still for so long.
constexpr milliseconds kPauseMax{5000};

constexpr const char* kPollSql =
    "SELECT d.state, r.id, r.state, r.lsn,"
    // An asker that lives holds this lock.
    " CASE WHEN r.id IS NOT NULL THEN pg_try_advisory_xact_lock({}, r.id) END"
    " FROM pgteal.deployment AS d LEFT JOIN LATERAL (SELECT q.id, q.state, q.lsn"
    " FROM pgteal.request AS q WHERE q.deployment = d.name AND q.kind = 'hold'"
    " ORDER BY q.id LIMIT 1) AS r ON true WHERE d.name = $1";

}  // namespace

Requests::Requests(pg::Connection& green, const std::string& deployment, Intake& intake,
                   const Progress& progress)
    : green_(green), deployment_(deployment), intake_(intake), progress_(progress) {}

void Requests::Tick() {
  const auto now = Clock::now();
  if (now < next_look_) return;
  const auto row = green_.Exec(fmt::format(kPollSql, kRequestLock), {deployment_});
  deployment_state_ = row.is_empty() ? "" : row.String(0, 0);
  if (row.is_empty() || row.IsNull(0, 1)) {
    if (!intake_.is_open()) GoOn("the hold has been released");
  } else {
    Obey(row);
  }
  next_look_ = Clock::now() + (intake_.is_open() ? kLook : kLookHeld);
}

void Requests::Obey(const pg::Result& row) {
  const std::string id = row.String(0, 1);
  if (row.Bool(0, 4)) return EndHold(id, "whoever asked for the hold is gone");
  if (!row.IsNull(0, 3)) {
    const pg::Lsn lsn = row.LsnAt(0, 3);
    intake_.OpenUntil(lsn);
    if (progress_.applied() < lsn) paused_since_.reset();
    if (progress_.applied() >= lsn && PausesTooLong()) EndHold(id, "the hold took too long");
    return;
  }
  intake_.Close();
  if (row.Text(0, 2) == "asked" && intake_.is_closed()) {
    spdlog::debug("held for request {} at {}", id, progress_.applied());
    green_.Exec(
        "UPDATE pgteal.request SET state = 'held', answered_at = clock_timestamp() WHERE id = $1",
        {id});
  }
  if (PausesTooLong()) EndHold(id, "the hold took too long");
}

bool Requests::PausesTooLong() {
  const auto now = Clock::now();
  if (!paused_since_) paused_since_ = now;
  return now - *paused_since_ > kPauseMax;
}

// The row goes first: an asker that finds it knows that the stream has been standing since.
void Requests::EndHold(const std::string& id, const char* why) {
  green_.Exec("DELETE FROM pgteal.request WHERE id = $1", {id});
  GoOn(why);
}

void Requests::GoOn(const char* why) {
  intake_.Open();
  paused_since_.reset();
  spdlog::debug("the stream goes on: {}", why);
}

}  // namespace pgteal::pipeline
