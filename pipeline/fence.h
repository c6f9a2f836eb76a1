#ifndef PGTEAL_PIPELINE_FENCE_H_
#define PGTEAL_PIPELINE_FENCE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Closes one database to everybody but pgteal, and opens it again exactly as it was. What is
// changed is written to pgteal.fence on the same server in the same transaction, so that whoever
// comes after the death of the tool can undo it.
//
// NOLOGIN for every role that may connect is what holds: a default of read-only alone can be
// overridden by any session. Roles belong to the whole server, so the closed ones cannot log into
// its other databases either. A role that fences of several databases keep out gets its LOGIN back
// with the last of them: each leaves a mark that all of them see, a default of the role in the
// closed database.
struct FenceOptions {
  std::string deployment;
  std::vector<std::string> leave_roles;  // they keep their login and their sessions
};

// A role that can log into this database and that our role may not close, or whose sessions it may
// not end. With one of them the fence has a hole.
struct RoleBeyondReach {
  std::string name;
  std::string fix;  // SQL; empty: it takes a superuser
};
std::vector<RoleBeyondReach> RolesBeyondReach(pg::Connection& side, const FenceOptions& options);

// A role that could connect to this database and that a fence of another database of the server
// keeps from logging in. It stays so when this one is opened.
struct RoleKeptOut {
  std::string name;
  std::string databases;  // one, or "a and database b"
};
// On pg_roles AS r: whether the role may log in, or may once no fence keeps it out any more.
inline constexpr const char* kLogsInSql =
    "(r.rolcanlogin OR EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = r.oid"
    " AND 'default_transaction_read_only=oN' = ANY (setconfig)))";
std::vector<RoleKeptOut> RolesKeptOut(pg::Connection& side);
std::string Describe(const RoleKeptOut& role);

// All of these inside a transaction of the caller. Several deployments may have a fence on one
// database; each remembers what was there before the first.
//
// Until the transaction ends, nobody else closes or opens this database. Also called by the others.
void LockFences(pg::Connection& side);
// Idempotent: what is closed already is left alone.
void CloseDatabase(pg::Connection& side, const FenceOptions& options);
// Undoes CloseDatabase(), but for what another deployment's or database's fence needs; nothing when
// it was never closed. Warns of roles that stay without LOGIN.
void OpenDatabase(pg::Connection& side, const std::string& deployment);
// For a side that is to take the deployment's writes: no fence is left, whosever it was. Throws
// Refused when another deployment's attempt at a turn has closed it and is not through.
void OpenForAll(pg::Connection& side, const std::string& deployment);
// The statements that OpenDatabase() would send, and the LOGIN of roles that it would leave
// without.
std::string OpeningScript(pg::Connection& side, const std::string& deployment);
bool IsClosed(pg::Connection& side, const std::string& deployment);

// Sessions of others in this database: programs' connections and background workers that may write.
// A session of our own role counts as ours when its application_name begins with "pgteal".
struct ForeignSessions {
  size_t count = 0;
  std::string names;  // "role (application_name)" of some
};
ForeignSessions FindForeignSessions(pg::Connection& side, const FenceOptions& options);
// Tells all of them to end and waits for each, as long as the connection's interrupt allows.
void EndForeignSessions(pg::Connection& side, const FenceOptions& options);
// Those that are here now, "{1,2}". When one began is hidden from a role without pg_read_all_stats.
std::string ForeignSessionPids(pg::Connection& side, const FenceOptions& options);
// Ends these, and others that can be seen to have begun before now. Returns those that our role may
// not end, "process 1 of a", or empty.
std::string EndForeignSessions(pg::Connection& side, const FenceOptions& options,
                               const std::string& pids);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_FENCE_H_
