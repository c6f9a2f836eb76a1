#ifndef PGTEAL_PIPELINE_LARGE_OBJECTS_H_
#define PGTEAL_PIPELINE_LARGE_OBJECTS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/schema_dump.h"

namespace pgteal::pipeline {

// Copies blue's large objects under their own numbers, with owners and privileges, as blue's
// session sees them (its transaction's snapshot). They are not in the stream: what happens to them
// later has to be copied again at a switchover. Green's are removed first, and what an interruption
// leaves by the next call. Returns their number.
size_t CopyLargeObjects(pg::Connection& blue, pg::Connection& green, const DumpOptions& options);

// What happened to blue's large objects since they were copied, by their oids. Both sides are read
// completely.
struct LargeObjectChanges {
  std::vector<std::string> missing;  // on green
  std::vector<std::string> different;
  std::vector<std::string> granted;  // to others than on green; the contents are the same
  std::vector<std::string> extra;    // on green

  size_t count() const { return missing.size() + different.size() + granted.size() + extra.size(); }
};
LargeObjectChanges FindLargeObjectChanges(pg::Connection& blue, pg::Connection& green);
// Brings green's large objects to blue's as they are now: those that differ, are missing or too
// many. Privileges of roles that green has come along, owners only when an object is made. Returns
// how many it touched. Both sides are read completely. What an interruption leaves out is for the
// next call.
size_t CopyChangedLargeObjects(pg::Connection& blue, pg::Connection& green);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LARGE_OBJECTS_H_
