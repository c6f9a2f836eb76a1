#ifndef PGTEAL_APPLIER_RENAMED_TABLE_H_
#define PGTEAL_APPLIER_RENAMED_TABLE_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "applier/side_names.h"
#include "pg/connection.h"
#include "pg/error.h"
#include "pg/ids.h"

namespace pgteal::applier {

// A table that blue renamed is missing on green, which holds its rows under the former name. A new
// one in its place would have none of them; one to which blue gave the former name would find them.

// In pgteal.schema_baseline, for a table of blue: "green", the oid of the record's own table,
// blue's oid, and that of green's table which has its rows. The second tells that green's oids are
// still those of that time; in a database that was dumped and restored they are others.
inline constexpr std::string_view kGreenTable = "green ";

using TableName = std::pair<std::string, std::string>;  // schema, name

// Of green's tables that are on record: whose rows they have, by oids, blue's by green's.
std::map<pg::Oid, pg::Oid> ReadHolders(pg::Connection& green, const std::string& deployment);

// Whether there is such a record, and our role may read it.
bool KnowsGreenTables(pg::Connection& green);
// What renames green's table to what blue calls it now: SQL; empty where green is not known to have
// it.
std::string RenameOnGreen(pg::Connection& green, const std::string& deployment, pg::Oid blue,
                          const std::string& schema, const std::string& name);
// For whoever is about to write to green's `table`, which has the rows of another one of blue:
// `holder`, which is called `holder_name` there now.
pg::Refused HeldByAnother(pg::Connection& green, const std::string& deployment,
                          const SideNames& sides, const TableName& table, pg::Oid holder,
                          const TableName& holder_name);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_RENAMED_TABLE_H_
