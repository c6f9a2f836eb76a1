#include "pipeline/slot_use.h"

#include "pg/catalog.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

std::optional<int> ReadsAhead(pg::Connection& blue, const std::string& deployment) {
  const auto row = blue.Exec(
      "SELECT min(pid) FROM pg_stat_activity WHERE application_name = $1 AND usename = "
      "current_user",
      {SessionOptionsFor(kReadAheadPart, deployment, nullptr).application_name});
  if (row.IsNull(0, 0)) return std::nullopt;
  return static_cast<int>(row.Int(0, 0));
}

std::optional<int> SlotUser(pg::Connection& blue, const std::string& deployment) {
  const auto slot = pg::FindSlot(blue, deployment);
  if (slot && slot->is_active) return slot->active_pid;
  return ReadsAhead(blue, deployment);
}

}  // namespace pgteal::pipeline
