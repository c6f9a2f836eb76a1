#include "pipeline/slot_use.h"

#include "pg/catalog.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

namespace {

std::optional<int> FindPart(pg::Connection& side, const std::string& part,
                            const std::string& deployment) {
  const auto row = side.Exec(
      "SELECT min(pid) FROM pg_stat_activity WHERE application_name = $1 AND usename = current_user"
      " AND datname = current_database()",
      {SessionOptionsFor(part, deployment, nullptr).application_name});
  if (row.IsNull(0, 0)) return std::nullopt;
  return static_cast<int>(row.Int(0, 0));
}

}  // namespace

std::optional<int> ReadsAhead(pg::Connection& blue, const std::string& deployment) {
  return FindPart(blue, kReadAheadPart, deployment);
}

void EndLanes(pg::Connection& green, const std::string& deployment, const std::string& which,
              int wait_ms) {
  green.Exec(
      "SELECT pg_terminate_backend(pid, $2::bigint) FROM pg_stat_activity"
      " WHERE application_name = $1 AND usename = current_user AND datname = current_database() " +
          which,
      {SessionOptionsFor("lane", deployment, nullptr).application_name, std::to_string(wait_ms)});
}

std::optional<int> RunOn(pg::Connection& side, const std::string& deployment) {
  for (const char* part : {"load", "source", "target"}) {
    if (auto pid = FindPart(side, part, deployment)) return pid;
  }
  return std::nullopt;
}

std::optional<int> SlotUser(pg::Connection& blue, const std::string& deployment) {
  const auto slot = pg::FindSlot(blue, deployment);
  if (slot && slot->is_active) return slot->active_pid;
  return ReadsAhead(blue, deployment);
}

}  // namespace pgteal::pipeline
