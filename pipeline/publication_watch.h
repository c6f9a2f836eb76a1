#ifndef PGTEAL_PIPELINE_PUBLICATION_WATCH_H_
#define PGTEAL_PIPELINE_PUBLICATION_WATCH_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/membership.h"
#include "pipeline/membership_judge.h"
#include "pipeline/options.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// Which tables of blue's publication have all their rows on green. One that came into it after the
// stream had begun, and not empty on both sides, has not: what was written before is in no stream,
// and only a reload brings it. It may have been named, or attached to a table that is, moved into a
// schema that is published, or been unlogged. Nor has one that left and came back, under whatever
// name. What was made inside has each row from its creation: with a publication of all tables, or
// of a schema, or as a partition of a published table; but it is behind where green still has the
// table that had its name before. Where the catalogs do not tell, it is taken to be behind: a
// reload too many loses nothing.
//
// One that blue renamed is the same, with the table on green that holds its rows. Where green has
// another one under the new name it is behind. Where that holds the rows of a second table of blue,
// as when a name was given away, it has to be renamed first: the stream stops there, and no copy
// is made.
//
// What is known to be complete is kept in pgteal.schema_baseline on green, by the ways in which
// tables are in the publication.

// Before the first row is streamed: all of it is on green, or will be before the stream begins.
// Replaces what was recorded before.
void RecordAllComplete(pg::Connection& green, const std::string& deployment,
                       const Membership& membership);
// Once green has the tables of a load whose rows are on record: from here on they are known by
// their oids, whatever blue calls them.
void RecordFollowing(pg::Connection& green, const std::string& deployment,
                     const Membership& membership);
// Before a turn, on the side that is to be closed: it has all rows of the other's tables, but of
// those that it lacks, and of those that were behind when it was last the one that follows, if it
// ever was: what an attempt has left that came to nothing does not count.
void RecordWayBack(pg::Connection& closing, pg::Connection& opening, const std::string& deployment,
                   bool has_followed);
// What RecordAllComplete() is to record once there is a green. Blue may be the green of another
// deployment of the same name, whose record this is not.
void RecordPrepared(pg::Connection& blue, const std::string& deployment,
                    const Membership& membership);
// Records that on green. False when blue has none.
bool TakePrepared(pg::Connection& blue, pg::Connection& green, const std::string& deployment);
// After, or for, a copy of some tables at the moment of `membership`, and of their partitions.
void RecordComplete(pg::Connection& green, const std::string& deployment,
                    const Membership& membership, const std::set<TableKey>& tables);
// Before such a copy, from `blue`, at the moment of `membership`. Throws Refused where the table on
// green holds the rows of another one of blue's.
void RequireOwnTables(pg::Connection& blue, pg::Connection& green, const Deployment& deployment,
                      const Membership& membership, const std::set<TableKey>& tables);
// And: until it is complete they are behind, under whatever name.
void RecordBehind(pg::Connection& green, const std::string& deployment,
                  const Membership& membership, const std::set<TableKey>& tables);
struct Published {
  bool is_complete = true;  // no table is behind
  // A table that has come empty is taken to be behind until green has what blue had written up to
  // here: rows of a time before it left, or of one that had its name, may still be under way.
  std::optional<pg::Lsn> awaited;
};
// Keeps the record: what came empty is complete from now on. Where there is none, as of an older
// pgteal, it takes everything to be complete.
Published RecordPublished(pg::Connection& blue, pg::Connection& green,
                          const std::string& deployment, const Positions& positions = {});

// The tables that are not complete, as --reload-table takes them: schema.table, without quotes but
// around a schema that has a dot in its name. Reads only.
std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_PUBLICATION_WATCH_H_
