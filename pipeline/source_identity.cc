#include "pipeline/source_identity.h"

#include <fmt/format.h>

#include "pg/error.h"

namespace pgteal::pipeline {

void RequireKnownSource(pg::Connection& green, const std::string& deployment,
                        const pg::SystemIdentity& identity) {
  const auto known = green.Exec(
      "SELECT source_system_identifier, source_timeline, source_database FROM pgteal.deployment"
      " WHERE name = $1",
      {deployment});
  if (known.is_empty()) {
    throw pg::Refused(fmt::format("green holds no deployment {}", deployment),
                      "It was cleaned up: start anew.");
  }
  if (known.Text(0, 0) != identity.system_identifier || known.Text(0, 2) != identity.database) {
    throw pg::Refused(
        fmt::format("blue is another server or database than deployment {} began with: system "
                    "identifier {} instead of {}, database {} instead of {}",
                    deployment, identity.system_identifier, known.Text(0, 0), identity.database,
                    known.Text(0, 2)),
        "Point --source at the server that the deployment was made for, or use another --name.");
  }
  if (known.Int(0, 1) != identity.timeline) {
    throw pg::Refused(
        fmt::format("blue is on timeline {}, the deployment began on {}: it was promoted or "
                    "restored, and green may hold transactions that this blue never had",
                    identity.timeline, known.Int(0, 1)),
        "Compare blue and green; reload, or begin a new deployment.");
  }
}

void RequireKeptSlot(const pg::Slot& slot) {
  if (slot.wal_status != "lost" && slot.invalidation_reason.empty()) return;
  throw pg::Refused(
      fmt::format("slot {} was invalidated by blue ({}): WAL that green needs is gone", slot.name,
                  slot.invalidation_reason.empty() ? "wal_removed" : slot.invalidation_reason),
      "Raise max_slot_wal_keep_size on blue, run `pgteal cleanup` and begin anew.");
}

}  // namespace pgteal::pipeline
