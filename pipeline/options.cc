#include "pipeline/options.h"

#include <fmt/format.h>

namespace pgteal::pipeline {

pg::SessionOptions SessionOptionsFor(const std::string& part, const std::string& deployment,
                                     const pg::Interrupt* interrupt) {
  // The server cuts names at 63 bytes; cutting here keeps comparisons exact.
  return {.application_name = fmt::format("pgteal {} {}", part, deployment).substr(0, 63),
          .replication = false,
          .is_console = false,
          .interrupt = interrupt,
          .settings = {}};
}

}  // namespace pgteal::pipeline
