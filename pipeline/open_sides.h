#ifndef PGTEAL_PIPELINE_OPEN_SIDES_H_
#define PGTEAL_PIPELINE_OPEN_SIDES_H_

#include <memory>
#include <string>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Sessions that somebody has opened and needs no more: whoever goes on with the two sides is spared
// to open others. Null where there is none.
struct OpenSides {
  std::unique_ptr<pg::Connection> source;
  std::unique_ptr<pg::Connection> target;
};

// The session of a part: the one that is there already, or a new one. Throws what connecting
// throws.
pg::Connection OpenOrTake(std::unique_ptr<pg::Connection> opened, const pg::ConnInfo& info,
                          const pg::SessionOptions& session);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_OPEN_SIDES_H_
