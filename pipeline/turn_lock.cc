#include "pipeline/turn_lock.h"

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

// $1 the deployment.
constexpr const char* kTryLockSql =
    "SELECT pg_try_advisory_lock(hashtext('pgteal turn'), hashtext($1))";
constexpr const char* kTryShareSql =
    "SELECT pg_try_advisory_lock_shared(hashtext('pgteal turn'), hashtext($1))";
constexpr const char* kIsLockedSql =
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND mode = 'ExclusiveLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = (hashtext('pgteal turn')::bigint & 4294967295)"
    " AND objid::bigint = (hashtext($1)::bigint & 4294967295))";
constexpr const char* kSettlingLockSql =
    "SELECT pg_advisory_lock(hashtext('pgteal settle'), hashtext($1))";
constexpr const char* kSettlingWait = "SET lock_timeout = '5s'";
constexpr const char* kLockTimeout = "55P03";

}  // namespace

bool TryLockTurn(pg::Connection& side, const std::string& deployment) {
  return side.Exec(kTryLockSql, {deployment}).Bool(0, 0);
}

bool TryShareTurn(pg::Connection& side, const std::string& deployment) {
  return side.Exec(kTryShareSql, {deployment}).Bool(0, 0);
}

bool IsToolAlive(pg::Connection& side, const std::string& deployment) {
  return side.Exec(kIsLockedSql, {deployment}).Bool(0, 0);
}

bool LockSettling(pg::Connection& side, const std::string& deployment) {
  bool is_ours = true;
  side.Exec(kSettlingWait);
  try {
    side.Exec(kSettlingLockSql, {deployment});
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kLockTimeout) throw;
    is_ours = false;
  }
  side.Exec("SET lock_timeout = 0");
  return is_ours;
}

}  // namespace pgteal::pipeline
