#include "pipeline/open_sides.h"

#include <utility>

namespace pgteal::pipeline {

pg::Connection OpenOrTake(std::unique_ptr<pg::Connection> opened, const pg::ConnInfo& info,
                          const pg::SessionOptions& session) {
  if (!opened) return {info, session};
  opened->HandOver(session.application_name, session.interrupt);
  return std::move(*opened);
}

}  // namespace pgteal::pipeline
