#ifndef PGTEAL_PG_CATALOG_H_
#define PGTEAL_PG_CATALOG_H_

#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pg/lsn.h"

namespace pgteal::pg {

// A row of pg_replication_slots.
struct Slot {
  std::string name;
  std::string plugin;
  std::string database;
  bool is_active = false;
  int active_pid = 0;
  Lsn restart_lsn;
  Lsn confirmed_flush_lsn;
  std::string wal_status;           // reserved, extended, unreserved, lost
  std::string invalidation_reason;  // version 17+, else empty
};
std::optional<Slot> FindSlot(Connection& connection, const std::string& name);
void DropSlot(Connection& connection, const std::string& name);

// A row of pg_publication.
struct Publication {
  std::string name;
  bool all_tables = false;
  bool via_root = false;
};
std::optional<Publication> FindPublication(Connection& connection, const std::string& name);

struct TableName {
  std::string schema;
  std::string name;
};
// pg_publication_tables: what the publication sends, as the stream will name it.
std::vector<TableName> PublishedTables(Connection& connection, const std::string& publication);

// Waits until a second connection is certain to speak to the same or another server, whatever its
// addresses and system identifiers say: an advisory lock taken on `a` is looked for through `b`.
enum class SameServer { kNo, kSameServer, kSameDatabase };
SameServer CompareServers(Connection& a, Connection& b);

bool IsInRecovery(Connection& connection);
// For a flush position that a stream is waited for to reach. Servers flush whole pages of WAL, so
// it may lie within a record, of which nothing is sent before the rest is flushed, too: where
// nobody writes, many seconds later. An empty commit sees to that; no stream has it.
void FlushPast(Connection& connection, Lsn flush_lsn);
// Of a session whose commits decide something: they survive a crash of the server even where its
// database or our role has synchronous_commit off.
void MakeCommitsDurable(Connection& connection);
bool MaySetReplicaRole(Connection& connection);
bool MayUseOrigins(Connection& connection);
std::string Setting(Connection& connection, const std::string& name);

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_CATALOG_H_
