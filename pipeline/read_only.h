#ifndef PGTEAL_PIPELINE_READ_ONLY_H_
#define PGTEAL_PIPELINE_READ_ONLY_H_

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Makes read-only the default of green's database, so that an application that connects too early
// cannot write there; pgteal's sessions override it. pgteal.event keeps what it was before the
// first deployment came (kind 'read_only'). A role that may not alter the database leaves it as it
// is, with a warning, and so does everybody where green takes the writes of another deployment.
// Inside a transaction.
void SetReadOnly(pg::Connection& green, const std::string& deployment);
// Undoes it: new sessions write again.
void UnsetReadOnly(pg::Connection& green, const std::string& deployment);
// For a deployment that ends while green follows by it: the same, unless another one that green
// follows by needs it. Where green takes the writes of another one it is made writable instead.
void GiveUpReadOnly(pg::Connection& green, const std::string& deployment);
// For a deployment that ends where green takes its writes: what the others remember of the time
// before does not count any more, so that none of them takes green's writers their right again.
void ForgetReadOnly(pg::Connection& green);
// When green takes over: new sessions write, even if its operator had made it read-only by hand
// before we came.
void MakeWritable(pg::Connection& green, const std::string& deployment);

// Roles that may log in and that could not write here by a default of their own (ALTER ROLE … SET
// default_transaction_read_only, for this database or for all), or by one of all roles, once what
// fences of this database changed has been put back. Not our own role.
struct ReadOnlyRole {
  std::string role;
  std::string fix;  // SQL for that side
};
std::vector<ReadOnlyRole> FindReadOnlyRoles(pg::Connection& side);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_READ_ONLY_H_
