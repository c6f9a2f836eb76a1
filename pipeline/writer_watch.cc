#include "pipeline/writer_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/schema.h"

namespace pgteal::pipeline {
namespace {

constexpr std::chrono::seconds kInterval{2};

constexpr const char* kWritersSql =
    "SELECT pid, backend_start, usename, application_name FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_xid IS NOT NULL"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " AND NOT (usename = current_user AND starts_with(application_name, 'pgteal'))";

}  // namespace

void WriterWatch::Look(pg::Connection& green) {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kInterval;
  const auto rows = green.Exec(kWritersSql);
  for (int i = 0; i < rows.rows(); ++i) {
    if (!told_.insert(rows.String(i, 0) + " " + rows.String(i, 1)).second) continue;
    const std::string who = fmt::format("pid {}, role {}, application {}", rows.Text(i, 0),
                                        rows.Text(i, 2), rows.Text(i, 3));
    spdlog::warn(
        "somebody else writes on {} ({}): it follows {}, and `pgteal verify` shows what differs",
        sides_.green, who, sides_.blue);
    applier::RecordEvent(green, deployment_, "foreign_writer", who);
  }
}

}  // namespace pgteal::pipeline
