#ifndef PGTEAL_PIPELINE_MEMBERSHIP_H_
#define PGTEAL_PIPELINE_MEMBERSHIP_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// What a publication of blue has at a moment, by oids: a table may have another's name, and a name
// may come back.

using Oid = std::string;  // as text, which is all that is done with it

// How rows of a table get into the publication. Through the table itself, or one that it is a
// partition of; and that is named, or comes with a container: a publication of all tables, or a
// schema. A table that left and came back has another way.
struct MembershipWay {
  std::string text;       // tells it from every other way, of this table and of others
  Oid top;                // the table that is named, or in the container
  std::string top_text;   // the same way, of that table
  std::string container;  // empty: it is named
};

struct MemberTable {
  TableKey key;
  bool is_partitioned = false;  // holds no rows itself
  Oid parent;                   // of a partition
  std::vector<MembershipWay> ways;
};

struct Membership {
  std::string containers;  // divided by blanks
  bool is_via_root = false;
  std::map<Oid, MemberTable> tables;  // and those that some are partitions of
};

// Tables of extensions are left out, as the copy does, and those that are no part of WAL.
Membership ReadMembership(pg::Connection& blue, const std::string& publication);

// The table itself, then what it is a partition of, nearest first.
std::vector<Oid> Lineage(const Membership& membership, const Oid& table);

// Whose name a table's rows bear in the stream.
Oid SentFor(const Membership& membership, const Oid& table);
// Under whose names rows are sent: of the partitions or of what they are partitions of.
std::set<TableKey> SentTables(const Membership& membership);

// What the catalogs still tell of how a table came to be.
struct Origin {
  bool is_empty = false;        // for certain
  bool never_had_rows = false;  // for certain
  // Never rewritten: it was not unlogged before. TRUNCATE, VACUUM FULL and the like rewrite, too.
  bool has_first_storage = false;
  bool has_first_schema = false;
  bool was_made_as_partition = false;  // of what it is a partition of now
};
std::map<Oid, Origin> ReadOrigins(pg::Connection& blue, const std::set<Oid>& tables);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_MEMBERSHIP_H_
