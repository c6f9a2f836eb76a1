#ifndef PGTEAL_PIPELINE_PUBLICATION_WATCH_H_
#define PGTEAL_PIPELINE_PUBLICATION_WATCH_H_

#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// Tables of blue that came into the publication after the stream had begun, and not empty: rows
// that were written before are in no stream, and only a reload brings them. Tables that are added
// one by one; a publication of all tables, or of a schema, has each from its creation. As
// --reload-table takes them: schema.table, not quoted.
//
// What is known to be complete is kept in pgteal.schema_baseline on green. Reads only.
std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment);

// Keeps that record: the first call takes everything to be complete, a later one what came empty.
void RecordPublished(pg::Connection& blue, pg::Connection& green, const std::string& deployment);

// After a reload.
void RecordComplete(pg::Connection& green, const std::string& deployment,
                    const std::set<TableKey>& tables);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_PUBLICATION_WATCH_H_
