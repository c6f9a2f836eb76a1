#include "pipeline/slot_restart.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// WAL between restart_lsn and confirmed_flush_lsn. Less is read in no time; more takes seconds and
// is for nothing while the transaction that holds it is open.
constexpr uint64_t kDistanceMin = 16 << 20;
constexpr uint64_t kDistanceMax = 512 << 20;

}  // namespace

// Before the release of May 2025 catalog_xmin went too far as well: vacuum could then remove what
// decoding an open transaction needs (PostgreSQL commit aaf9e95e87).
bool MayAdvanceSlots(int server_version) {
  switch (server_version / 10'000) {
    case 14:
      return server_version >= 140'018;
    case 15:
      return server_version >= 150'013;
    case 16:
      return server_version >= 160'009;
    case 17:
      return server_version >= 170'005;
    default:
      return server_version >= 180'000;
  }
}

void MoveRestartLsn(pg::Connection& blue, const std::string& slot) {
  if (!MayAdvanceSlots(blue.server_version())) return;
  try {
    // Blue would read on for a process that has died, and the next one waits for the slot.
    const auto moved = blue.Exec(fmt::format(
        "SET LOCAL client_connection_check_interval = '200ms';"
        " SELECT pg_replication_slot_advance(slot_name, confirmed_flush_lsn), restart_lsn"
        " FROM pg_replication_slots WHERE slot_name = {} AND NOT active"
        " AND confirmed_flush_lsn - restart_lsn BETWEEN {} AND {}",
        pg::QuoteLiteral(slot), kDistanceMin, kDistanceMax));
    if (moved.is_empty()) return;
    spdlog::debug("slot {} stood at restart_lsn {} and was moved", slot, moved.LsnAt(0, 1));
  } catch (const pg::ServerError& error) {
    if (blue.is_broken()) throw;
    spdlog::debug("slot {} keeps its restart_lsn: {}", slot, error.what());
  }
}

}  // namespace pgteal::pipeline
