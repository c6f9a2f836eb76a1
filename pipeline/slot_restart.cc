#include "pipeline/slot_restart.h"

#include <spdlog/spdlog.h>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

// WAL in bytes between restart_lsn and confirmed_flush_lsn. Less is read in no time; more takes
// seconds and is for nothing while the transaction that holds it is open.
constexpr const char* kDistanceMin = "16777216";
constexpr const char* kDistanceMax = "1073741824";

}  // namespace

void MoveRestartLsn(pg::Connection& blue, const std::string& slot) {
  try {
    const auto moved = blue.Exec(
        "SELECT pg_replication_slot_advance(slot_name, confirmed_flush_lsn), restart_lsn"
        " FROM pg_replication_slots WHERE slot_name = $1 AND plugin = 'pgoutput'"
        " AND database = current_database() AND NOT active"
        " AND confirmed_flush_lsn - restart_lsn BETWEEN $2 AND $3",
        {slot, kDistanceMin, kDistanceMax});
    if (moved.is_empty()) return;
    spdlog::debug("slot {} stood at restart_lsn {} and was moved", slot, moved.LsnAt(0, 1));
  } catch (const pg::ServerError& error) {
    spdlog::debug("slot {} keeps its restart_lsn: {}", slot, error.what());
  }
}

}  // namespace pgteal::pipeline
