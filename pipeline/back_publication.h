#ifndef PGTEAL_PIPELINE_BACK_PUBLICATION_H_
#define PGTEAL_PIPELINE_BACK_PUBLICATION_H_

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Something that only somebody with more rights can do, or that has to be decided.
struct Obstacle {
  std::string what;
  std::string fix;
};

// How the publication on the side that is to be opened becomes like that of the side that closes:
// the same tables, schemas and operations. Whole tables even where the other sends parts of them,
// since what is written after the turn exists nowhere else. Where our role may not publish all
// tables, or version 14 a schema, the tables of this moment stand for them.
struct BackPublication {
  std::vector<std::string> statements;  // on the side that is to be opened, in one transaction
  std::vector<Obstacle> obstacles;      // empty: they can be executed
};

// Reads only. Throws Refused when `from` has no such publication.
BackPublication PlanBackPublication(pg::Connection& from, pg::Connection& to,
                                    const std::string& name);

// Whether the publication was made for a way back.
bool IsWayBackPublication(pg::Connection& side, const std::string& name);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BACK_PUBLICATION_H_
