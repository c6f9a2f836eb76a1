#include "pipeline/snapshot_pair.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "applier/errors.h"
#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pipeline/blue_snapshot.h"
#include "pipeline/slot_use.h"
#include "pipeline/source_identity.h"
#include "pipeline/stream.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{5};
constexpr milliseconds kAnswerMax{10'000};
// Between two attempts, doubled each time.
constexpr milliseconds kBackoffMin{500};
constexpr milliseconds kBackoffMax{10'000};
constexpr int kAttemptsMax = 20;
// A `run` that reconnects leaves the slot for a moment: only after so long there is none.
constexpr milliseconds kSlotIdle{2000};

pg::SessionOptions SessionFor(const Deployment& deployment, const SnapshotOptions& options) {
  auto session = SessionOptionsFor("verify", deployment.name, options.interrupt);
  session.settings = {
      {"work_mem", "64MB"}, {"jit", "off"}, {"max_parallel_workers_per_gather", "0"}};
  return session;
}

Sessions Open(const pg::ConnInfo& info, const pg::SessionOptions& session, size_t count) {
  Sessions sessions;
  for (size_t i = 0; i < count; ++i) {
    sessions.push_back(std::make_unique<pg::Connection>(info, session));
  }
  return sessions;
}

void ThrowIfStopped(const std::atomic<bool>& stop) {
  if (stop.load(std::memory_order_acquire)) throw pg::Interrupted();
}

void RequireComparable(pg::Connection& green, const Deployment& deployment) {
  if (!applier::HasSchema(green)) {
    throw pg::Refused(deployment.sides.Format("green holds no deployment {}", deployment.name),
                      "Start it with `pgteal run`.");
  }
  applier::EnsureSchema(green);
  const std::string state = DeploymentState(green, deployment.name);
  for (const char* loading : {"schema", "copying", "indexing", "catching_up"}) {
    if (state != loading) continue;
    throw pg::Refused(deployment.sides.Format("green is still being loaded"),
                      "Compare once `pgteal run` streams.");
  }
}

bool IsStreamed(pg::Connection& blue, const std::string& name) {
  return SlotUser(blue, name).has_value();
}

// One attempt after the other to get green and a snapshot of blue to one LSN.
class Meeting {
 public:
  Meeting(const Deployment& deployment, const SnapshotOptions& options,
          const std::atomic<bool>& stop)
      : deployment_(deployment),
        options_(options),
        stop_(stop),
        session_(SessionFor(deployment, options)),
        blue_(deployment.source, session_),
        point_{.lsn = {},
               .control = std::make_unique<pg::Connection>(deployment.target, session_),
               .hold = nullptr,
               .blue = {}} {
    RequireComparable(*point_.control, deployment);
  }

  // False: something came between; the next attempt may succeed.
  [[nodiscard]] bool Try() {
    point_.hold.reset();
    point_.blue = Open(deployment_.source, session_, options_.sessions);
    BlueSnapshot snapshot(deployment_.source, session_);
    RequireKnownSource(*point_.control, deployment_, snapshot.Identify());
    return IsRunning() ? TryHeld(snapshot) : TryAlone(snapshot);
  }
  HeldPoint Take() { return std::move(point_); }
  HeldPoint& point() { return point_; }
  const applier::SideNames& sides() const { return deployment_.sides; }

 private:
  std::string SlotName() const {
    return fmt::format("{}_verify_{}", deployment_.name, point_.control->backend_pid());
  }

  bool IsRunning() {
    const auto deadline = Clock::now() + kSlotIdle;
    while (!IsStreamed(blue_, deployment_.name)) {
      ThrowIfStopped(stop_);
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(kPoll * 10);
    }
    return true;
  }

  bool TryHeld(BlueSnapshot& snapshot) {
    AwaitWriters(blue_, deployment_.sides, stop_);
    point_.hold = std::make_unique<Hold>(*point_.control, deployment_.name);
    if (!point_.hold->Ask(kAnswerMax)) {
      if (!IsStreamed(blue_, deployment_.name)) return false;
      throw pg::Refused(
          fmt::format("slot {} is streamed from, but nobody answers", deployment_.name),
          "Is it a `pgteal run` of this version? Stop it, and verify without it.");
    }
    const auto lsn = snapshot.Take(SlotName(), point_.blue, Clock::now() + options_.hold_max);
    if (!lsn) {
      point_.hold->Release();
      spdlog::info("{}'s snapshot took longer than {} ms: the stream goes on, trying again",
                   deployment_.sides.blue, options_.hold_max.count());
      return false;
    }
    point_.lsn = *lsn;
    LockTables(*point_.blue.front(), options_.locked_tables);
    return point_.hold->MoveTo(*lsn) && Await(*lsn);
  }

  // Until the stream stands at the LSN.
  bool Await(pg::Lsn lsn) {
    auto next_look = Clock::now() + milliseconds(1000);
    while (true) {
      ThrowIfStopped(stop_);
      const pg::Lsn progress = point_.hold->Progress();
      if (progress == lsn) break;
      if (progress > lsn) return false;
      if (Clock::now() > next_look) {
        next_look = Clock::now() + milliseconds(1000);
        spdlog::debug("{} is at {}, on its way to {}", deployment_.sides.green, progress, lsn);
        if (!IsStreamed(blue_, deployment_.name)) return false;
      }
      std::this_thread::sleep_for(kPoll);
    }
    point_.hold->Arrived();
    return true;
  }

  bool TryAlone(BlueSnapshot& snapshot) {
    spdlog::info("no `run` streams: {} is brought up to a snapshot of {}", deployment_.sides.green,
                 deployment_.sides.blue);
    AwaitWriters(blue_, deployment_.sides, stop_);
    const auto lsn = snapshot.Take(SlotName(), point_.blue, std::nullopt);
    point_.lsn = lsn.value_or(pg::Lsn{});
    LockTables(*point_.blue.front(), options_.locked_tables);
    auto stream_options = options_.stream;
    stream_options.until_lsn = point_.lsn;
    Stream stream(deployment_, stream_options);
    try {
      if (stream.Run(stop_, [](const SessionView&) {}) == Session::End::kDone) return true;
    } catch (const applier::TakenOver&) {
      return false;  // a `run` has come
    }
    throw pg::Interrupted();
  }

  const Deployment& deployment_;
  const SnapshotOptions& options_;
  const std::atomic<bool>& stop_;
  const pg::SessionOptions session_;
  pg::Connection blue_;
  HeldPoint point_;
};

// Calls `done` after each attempt that succeeded, until it is content.
template <typename Done>
void Meet(Meeting& meeting, const std::atomic<bool>& stop, Done done) {
  auto backoff = kBackoffMin;
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    if (meeting.Try() && done()) return;
    meeting.point().hold.reset();
    const auto until = Clock::now() + backoff;
    backoff = std::min(backoff * 2, kBackoffMax);
    while (Clock::now() < until) {
      ThrowIfStopped(stop);
      std::this_thread::sleep_for(kPoll);
    }
  }
  throw pg::Refused(
      meeting.sides().Format("blue and green could not be brought to one point in {} attempts",
                             kAttemptsMax),
      meeting.sides().Format("Blue's snapshot waits for every transaction that writes. Raise "
                             "--hold-max, or verify when there are fewer long ones."));
}

// The progress row as the snapshot shows it is what counts. Past blue's snapshot, green is too new.
std::optional<Sessions> OpenGreen(const Deployment& deployment, Sessions sessions,
                                  const HeldPoint& point) {
  auto& first = *sessions.front();
  first.Exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const auto row = first.Exec(
      "SELECT pg_catalog.pg_export_snapshot(), (SELECT end_lsn FROM pgteal.progress"
      " WHERE slot = $1)",
      {deployment.name});
  const pg::Lsn progress = row.LsnAt(0, 1);
  // Without a hold we have streamed up to the point ourselves, and nothing may end exactly there.
  if (progress > point.lsn || (point.hold && progress != point.lsn)) return std::nullopt;
  ImportSnapshot(std::span(sessions).subspan(1), row.Text(0, 0));
  return sessions;
}

}  // namespace

HeldPoint HoldAtSnapshot(const Deployment& deployment, const SnapshotOptions& options,
                         const std::atomic<bool>& stop) {
  Meeting meeting(deployment, options, stop);
  Meet(meeting, stop, [] { return true; });
  return meeting.Take();
}

SnapshotPair TakeSnapshots(const Deployment& deployment, const SnapshotOptions& options,
                           const std::atomic<bool>& stop) {
  SnapshotPair pair;
  pair.sides = deployment.sides;
  Meeting meeting(deployment, options, stop);
  const auto session = SessionFor(deployment, options);
  auto green = Open(deployment.target, session, options.sessions);
  Meet(meeting, stop, [&] {
    auto& point = meeting.point();
    auto opened = OpenGreen(deployment, std::move(green), point);
    if (opened) LockTables(*opened->front(), options.locked_tables);
    if (!opened) {
      green = Open(deployment.target, session, options.sessions);
      return false;
    }
    if (point.hold) {
      point.hold->Release();
      pair.paused = point.hold->paused();
    }
    pair.green = std::move(*opened);
    return true;
  });
  auto point = meeting.Take();
  pair.lsn = point.lsn;
  pair.blue = std::move(point.blue);
  pair.taken_at = Clock::now();
  spdlog::info("snapshots of {} and {} at {} paused_ms={}", pair.sides.blue, pair.sides.green,
               pair.lsn, pair.paused.count());
  return pair;
}

}  // namespace pgteal::pipeline
