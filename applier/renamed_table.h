#ifndef PGTEAL_APPLIER_RENAMED_TABLE_H_
#define PGTEAL_APPLIER_RENAMED_TABLE_H_

#include <string>
#include <string_view>

#include "pg/connection.h"
#include "pg/ids.h"

namespace pgteal::applier {

// A table that blue renamed is missing on green, which holds its rows under the former name. A new
// one in its place would have none of them.

// In pgteal.schema_baseline, for a table whose rows are all on green: "green", the oid of the
// record's own table, blue's oid, green's oid. The second tells that green's oids are still those
// of that time; in a database that was dumped and restored they are others.
inline constexpr std::string_view kGreenTable = "green ";

// Whether there is such a record, and our role may read it.
bool KnowsGreenTables(pg::Connection& green);
// What renames green's table to what blue calls it now: SQL; empty where green is not known to have
// it.
std::string RenameOnGreen(pg::Connection& green, const std::string& deployment, pg::Oid blue,
                          const std::string& schema, const std::string& name);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_RENAMED_TABLE_H_
