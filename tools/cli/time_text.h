#ifndef PGTEAL_TOOLS_CLI_TIME_TEXT_H_
#define PGTEAL_TOOLS_CLI_TIME_TEXT_H_

#include <string>

#include "pg/timestamp.h"

namespace pgteal::tools {

// ISO 8601 with microseconds, UTC.
std::string TimeText(pg::Timestamp time);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_TIME_TEXT_H_
