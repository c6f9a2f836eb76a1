#ifndef PGTEAL_PIPELINE_FOLLOWING_TABLES_H_
#define PGTEAL_PIPELINE_FOLLOWING_TABLES_H_

#include <map>
#include <set>

#include "pg/connection.h"
#include "pipeline/membership.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// What green has under the names of blue's tables.

struct FollowingTable {
  Oid oid;
  bool is_partitioned = false;
  bool may_be_read = false;  // every row of it, by our role
};

// Those that there are.
std::map<TableKey, FollowingTable> FindFollowing(pg::Connection& green,
                                                 const std::set<TableKey>& keys);
std::map<TableKey, FollowingTable> FindFollowing(pg::Connection& green,
                                                 const Membership& membership);
// Of one that may be read.
bool HasRows(pg::Connection& green, const TableKey& key, const FollowingTable& table);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FOLLOWING_TABLES_H_
