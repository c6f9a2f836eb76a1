#include "pipeline/source_identity.h"

#include <fmt/format.h>

#include <string>

#include "pg/error.h"

namespace pgteal::pipeline {

namespace {

// What keeps the next slot, by pg_replication_slots.invalidation_reason.
const char* RemedyFor(const std::string& reason) {
  if (reason == "idle_timeout") return "Raise idle_replication_slot_timeout on blue";
  if (reason == "rows_removed") return "Set hot_standby_feedback = on on blue, a standby";
  if (reason == "wal_level_insufficient") return "Set wal_level = logical on blue's primary";
  return "Raise max_slot_wal_keep_size on blue";
}

}  // namespace

void RequireKnownSource(pg::Connection& green, const Deployment& deployment,
                        const pg::SystemIdentity& identity) {
  const auto& sides = deployment.sides;
  const auto known = green.Exec(
      "SELECT source_system_identifier, source_timeline, source_database FROM pgteal.deployment"
      " WHERE name = $1",
      {deployment.name});
  if (known.is_empty()) {
    throw pg::Refused(sides.Format("green holds no deployment {}", deployment.name),
                      "It was cleaned up: start anew.");
  }
  if (known.Text(0, 0) != identity.system_identifier || known.Text(0, 2) != identity.database) {
    throw pg::Refused(
        sides.Format("blue is another server or database than deployment {} began with: system "
                     "identifier {} instead of {}, database {} instead of {}",
                     deployment.name, identity.system_identifier, known.Text(0, 0),
                     identity.database, known.Text(0, 2)),
        "Point --source at the server that the deployment was made for, or use another --name.");
  }
  if (known.Int(0, 1) != identity.timeline) {
    throw pg::Refused(
        sides.Format("blue is on timeline {}, the deployment began on {}: it was promoted or "
                     "restored, and green may hold transactions that this blue never had",
                     identity.timeline, known.Int(0, 1)),
        sides.Format("Compare blue and green; reload, or begin a new deployment."));
  }
}

void RequireKeptSlot(const pg::Slot& slot, const applier::SideNames& sides) {
  if (slot.wal_status != "lost" && slot.invalidation_reason.empty()) return;
  const std::string reason =
      slot.invalidation_reason.empty() ? "wal_removed" : slot.invalidation_reason;
  throw pg::Refused(sides.Format("slot {} was invalidated by blue ({}): what green needs is gone",
                                 slot.name, reason),
                    fmt::format("{}, run `pgteal cleanup` and begin anew.",
                                applier::Renamed(RemedyFor(reason), sides)));
}

}  // namespace pgteal::pipeline
