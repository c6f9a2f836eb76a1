#include "pipeline/load_state.h"

#include <spdlog/spdlog.h>

#include <set>
#include <string>

#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

// Foreign keys of ordinary tables that are checked on blue and not yet on green.
void ValidateKeys(pg::Connection& blue, pg::Connection& green) {
  constexpr const char* kKeysSql =
      "SELECT format('ALTER TABLE ONLY %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname,"
      " k.conname) FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid"
      " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
      " WHERE k.contype = 'f' AND c.relkind = 'r' AND k.convalidated = $1";
  std::set<std::string> checked;
  const auto on_blue = blue.Exec(kKeysSql, {"t"});
  for (int i = 0; i < on_blue.rows(); ++i) checked.insert(on_blue.String(i, 0));
  const auto on_green = green.Exec(kKeysSql, {"f"});
  for (int i = 0; i < on_green.rows(); ++i) {
    if (checked.contains(on_green.String(i, 0))) green.Exec(on_green.String(i, 0));
  }
}

// Those of partitioned tables, which cannot be there without being checked.
void AddMissingKeys(pg::Connection& blue, pg::Connection& green) {
  constexpr const char* kKeysSql =
      "SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I ', n.nspname, c.relname, k.conname),"
      " pg_get_constraintdef(k.oid)"
      " FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid"
      " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
      " WHERE k.contype = 'f' AND c.relkind = 'p' AND k.conparentid = 0 ORDER BY 1";
  std::set<std::string> there;
  const auto on_green = green.Exec(kKeysSql);
  for (int i = 0; i < on_green.rows(); ++i) there.insert(on_green.String(i, 0));
  const auto on_blue = blue.Exec(kKeysSql);
  for (int i = 0; i < on_blue.rows(); ++i) {
    const std::string add = on_blue.String(i, 0);
    if (!there.contains(add)) green.Exec(add + on_blue.String(i, 1));
  }
}

}  // namespace

LoadState LoadStateOf(const std::string& state) {
  if (state.empty()) return LoadState::kNone;
  if (state == "schema" || state == "copying" || state == "indexing") return LoadState::kLoading;
  return state == "catching_up" ? LoadState::kCatchingUp : LoadState::kStreaming;
}

pg::Lsn CatchUpGoal(const Deployment& deployment, const pg::SessionOptions& session) {
  pg::Connection green(deployment.target, session);
  return green
      .Exec("SELECT coalesce(max(ready_lsn), '0/0') FROM pgteal.table_state WHERE deployment = $1",
            {deployment.name})
      .LsnAt(0, 0);
}

void FinishCatchUp(const Deployment& deployment, const pg::SessionOptions& session) {
  pg::Connection blue(deployment.source, session);
  pg::Connection green(deployment.target, session);
  ValidateKeys(blue, green);
  AddMissingKeys(blue, green);
  SetDeploymentState(green, deployment.name, "streaming");
  spdlog::info("foreign keys checked on green");
}

}  // namespace pgteal::pipeline
