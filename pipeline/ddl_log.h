#ifndef PGTEAL_PIPELINE_DDL_LOG_H_
#define PGTEAL_PIPELINE_DDL_LOG_H_

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgteal::pipeline {

// pgteal.ddl_log on blue: every DDL statement, written by event triggers. The table is unlogged, so
// that no publication, not even one for all tables, sends it. The triggers swallow their own
// errors: blue's DDL never fails because of them.

// Makes it where it is missing; false when our role may not (event triggers take a superuser).
[[nodiscard]] bool InstallDdlLog(pg::Connection& blue);
// True when there was one.
bool RemoveDdlLog(pg::Connection& blue);

// "ALTER TABLE public.t by role app" of what was not read before; without the statements' text.
std::vector<std::string> ReadDdlLog(pg::Connection& blue);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_DDL_LOG_H_
