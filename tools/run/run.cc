#include "tools/run/run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "pg/error.h"
#include "pipeline/stream.h"
#include "tools/cli/exit_codes.h"
#include "tools/run/progress_line.h"

namespace pgteal::tools {

int Run(const RunOptions& options, const std::atomic<bool>& stop) {
  const pg::SessionOptions session{.application_name = "pgteal " + options.deployment.name};
  if (!pipeline::IsPrepared(options.deployment, session)) {
    const auto slot = pipeline::PrepareSource(options.deployment, options.bootstrap, session);
    pipeline::PrepareTarget(options.deployment, slot, options.start_lsn, session);
  } else if (options.start_lsn) {
    throw pg::Refused(
        fmt::format("deployment {} already streams; --start-lsn is for its first start",
                    options.deployment.name),
        "Leave --start-lsn out to resume, or run `pgteal cleanup` to begin anew.");
  }
  ProgressLine line(options.is_terminal, options.log_interval);
  pipeline::Stream stream(options.deployment, options.stream);
  const auto end =
      stream.Run(stop, [&line](const pipeline::SessionView& view) { line.Show(view); });
  if (end == pipeline::Session::End::kDone) {
    spdlog::info("done: green holds everything up to the chosen position");
    return kDone;
  }
  spdlog::info("stopped cleanly; the same command resumes");
  return kInterrupted;
}

}  // namespace pgteal::tools
