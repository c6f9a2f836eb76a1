#include "pipeline/hold.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <thread>
#include <utility>

#include "applier/progress_row.h"
#include "pg/error.h"
#include "pipeline/requests.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{5};

}  // namespace

Hold::Hold(pg::Connection& green, std::string deployment)
    : green_(green), deployment_(std::move(deployment)) {}

Hold::~Hold() {
  try {
    Release();
  } catch (const pg::Error& error) {
    // Our session has ended, and so the stream lets go.
    spdlog::debug("hold not released: {}", error.what());
  }
}

bool Hold::Ask(milliseconds patience) {
  // The lock is taken before the row can be seen.
  id_ = green_
            .Exec(fmt::format("WITH asked AS (INSERT INTO pgteal.request (deployment, kind)"
                              " VALUES ($1, 'hold') RETURNING id)"
                              " SELECT id, pg_advisory_lock({}, id) FROM asked",
                              kRequestLock),
                  {deployment_})
            .String(0, 0);
  const auto deadline = Clock::now() + patience;
  while (Clock::now() < deadline) {
    if (IsHeld()) {
      paused_since_ = Clock::now();
      return true;
    }
    std::this_thread::sleep_for(kPoll);
  }
  Release();
  return false;
}

bool Hold::IsHeld() {
  return !green_
              .Exec("SELECT FROM pgteal.request WHERE id = $1 AND state = 'held'",
                    {id_.value_or("")})
              .is_empty();
}

bool Hold::MoveTo(pg::Lsn lsn) {
  const auto moved = green_.Exec("UPDATE pgteal.request SET lsn = $2 WHERE id = $1",
                                 {id_.value_or(""), lsn.ToString()});
  EndPause();
  return moved.affected_rows() == 1;
}

pg::Lsn Hold::Progress() {
  const auto row = applier::ReadProgress(green_, deployment_);
  if (!row) throw pg::Refused(fmt::format("green holds no deployment {}", deployment_));
  return row->end_lsn;
}

void Hold::Arrived() { paused_since_ = Clock::now(); }

void Hold::Release() {
  if (!id_) return;
  const std::string id = *id_;
  id_.reset();
  green_.Exec("DELETE FROM pgteal.request WHERE id = $1", {id});
  EndPause();
  green_.Exec(fmt::format("SELECT pg_advisory_unlock({}, $1)", kRequestLock), {id});
}

void Hold::EndPause() {
  if (!paused_since_) return;
  paused_ += duration_cast<milliseconds>(Clock::now() - *paused_since_);
  paused_since_.reset();
}

}  // namespace pgteal::pipeline
