#ifndef PGTEAL_PIPELINE_MEMBERSHIP_JUDGE_H_
#define PGTEAL_PIPELINE_MEMBERSHIP_JUDGE_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "applier/side_names.h"
#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/complete_record.h"
#include "pipeline/membership.h"

namespace pgteal::pipeline {

// Tells which tables are complete on green: the rules of publication_watch.h.

struct JudgedSides {
  pg::Connection& blue;
  pg::Connection& green;
  const std::string& deployment;
};

struct Positions {
  // Of blue's, from a time when the catalogs were what they are now; none: that of this moment,
  // which green is seldom at.
  std::optional<pg::Lsn> written;
  // Up to where green has everything, beyond what its progress says.
  pg::Lsn reached;
};

struct Findings {
  std::vector<std::string> behind;  // as --reload-table takes them
  std::optional<pg::Lsn> awaited;   // green has to get there before a table can be judged
  RecordRows before;
  RecordRows after;
};

// From what is recorded and what the catalogs tell of the others. Reads only.
Findings JudgeMembership(const JudgedSides& sides, const CompleteRecord& record,
                         const Membership& now, const Positions& positions);
// Throws Refused where green's table of that name has the rows of another one: a copy into it would
// destroy these.
void RequireOwnRows(const JudgedSides& sides, const CompleteRecord& record, const Membership& now,
                    const applier::SideNames& names, const std::set<TableKey>& tables);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_MEMBERSHIP_JUDGE_H_
