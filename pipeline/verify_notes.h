#ifndef PGTEAL_PIPELINE_VERIFY_NOTES_H_
#define PGTEAL_PIPELINE_VERIFY_NOTES_H_

#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/verify_plan.h"

namespace pgteal::pipeline {

// What else is not alike on the two sides, beyond the rows of published tables. Faults make green
// another database than blue; notes are what an operator should know. Both sessions show the
// snapshots of one LSN (sequences are as of now). A part that our role may not read becomes a note.
struct Findings {
  std::vector<std::string> faults;
  std::vector<std::string> notes;
};
Findings FindBeyondRows(pg::Connection& blue, pg::Connection& green,
                        const std::vector<VerifyTable>& plan, const applier::SideNames& names,
                        const std::string& publication);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_NOTES_H_
