#include "pipeline/target_schema.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <utility>

#include "pg/error.h"
#include "pipeline/build_memory.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kForeignKeyViolation = "23503";
constexpr const char* kNotPopulated = "55000";
constexpr const char* kNotAllowed = "42501";

// Says that an object is there: a relation, any object, a second primary key, an index that serves
// a constraint already; a function, a schema.
bool MeansExists(const std::string& sqlstate) {
  constexpr std::array<const char*, 6> kStates = {"42P07", "42710", "42P16",
                                                  "55000", "42723", "42P06"};
  return std::any_of(kStates.begin(), kStates.end(),
                     [&](const char* state) { return sqlstate == state; });
}

}  // namespace

TargetSchema::TargetSchema(const Deployment& deployment, const TargetSchemaOptions& options,
                           Supervisor& supervisor, LoadProgress& progress)
    : deployment_(deployment),
      options_(options),
      supervisor_(supervisor),
      progress_(progress),
      green_(deployment.target, SessionOptions()) {}

pg::SessionOptions TargetSchema::SessionOptions() const {
  auto session = SessionOptionsFor("schema", deployment_.name, &supervisor_.interrupt());
  // As pg_restore does: a body may name what comes later. Nothing here waits for WAL.
  session.settings = {{"check_function_bodies", "off"}, {"synchronous_commit", "off"}};
  return session;
}

void TargetSchema::Execute(pg::Connection& green, const Statement& statement) const {
  try {
    green.Exec(statement.sql);
  } catch (pg::ServerError& error) {
    if (options_.is_resumed && MeansExists(error.sqlstate())) return;
    error.AddContext(statement.what);
    throw;
  }
}

// Of one that is valid already nothing is refused: what is, counts.
void TargetSchema::Validate(pg::Connection& green, const Statement& check) {
  try {
    green.Exec(check.sql);
  } catch (pg::ServerError& error) {
    error.AddContext(check.what);
    throw;
  }
}

void TargetSchema::ExecuteAll(const std::vector<Statement>& statements) {
  for (const auto& statement : statements) Execute(green_, statement);
}

void TargetSchema::CreatePreData(const std::vector<DumpItem>& items) {
  for (const auto& item : WithEarlyGrants(items)) {
    try {
      Execute(green_, {.what = item.type + " " + item.name, .sql = item.settings + item.sql});
    } catch (const pg::ServerError& error) {
      // Before version 15 it belonged to the first superuser, who is no owner that a role could be
      // a member of; since then it is the database owner's.
      const bool is_public = item.type == "SCHEMA" && item.name == "public";
      if (!is_public || error.sqlstate() != kNotAllowed) throw;
      spdlog::warn("not copied: the owner of schema public ({})", error.what());
    }
  }
}

// `body` gets a session of its own thread and a statement.
template <typename Body>
void TargetSchema::InParallel(const std::vector<Statement>& statements, Body body) {
  std::atomic<size_t> next = 0;
  std::vector<std::jthread> workers;
  const auto work = [&] {
    pg::Connection green(deployment_.target, SessionOptions());
    for (size_t i = next++; i < statements.size(); i = next++) body(green, statements[i]);
  };
  for (size_t i = 0; i < std::min(options_.jobs, statements.size()); ++i) {
    workers.push_back(supervisor_.Start(work, [this] { supervisor_.interrupt().Raise(); }));
  }
  workers.clear();
  if (supervisor_.has_failed()) throw pg::Interrupted();
}

void TargetSchema::Build(BuildQueue& builds) const {
  pg::Connection green(deployment_.target, SessionOptions());
  const auto memory = ReadBuildMemory(green, options_.jobs);
  while (const auto turn = builds.Next()) {
    green.Exec(
        "SELECT set_config('max_parallel_maintenance_workers', $1, false),"
        " set_config('maintenance_work_mem', $2, false)",
        {std::to_string(turn->helpers),
         std::to_string(BuildMemoryKb(memory, turn->build.btree_bytes, turn->helpers))});
    const auto began = Clock::now();
    Execute(green, turn->build);
    builds.Finish();
    ++progress_.indexes_done;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    spdlog::debug("{} built ms={}", turn->build.what, took.count());
  }
}

bool TargetSchema::AddConstraints(const PostDataPlan& plan, bool has_one_snapshot) {
  std::atomic<bool> is_postponed = false;
  for (const auto& constraint : plan.constraints) {
    try {
      Execute(green_, constraint);
    } catch (const pg::ServerError& error) {
      // Of a partitioned table, where NOT VALID is not possible.
      if (has_one_snapshot || error.sqlstate() != kForeignKeyViolation) throw;
      is_postponed.store(true);
    }
  }
  InParallel(plan.validations, [&](pg::Connection& green, const Statement& check) {
    try {
      Validate(green, check);
    } catch (const pg::ServerError& error) {
      if (has_one_snapshot || error.sqlstate() != kForeignKeyViolation) throw;
      is_postponed.store(true);
    }
  });
  return is_postponed.load();
}

void TargetSchema::CreateRest(const PostDataPlan& plan) { ExecuteAll(plan.rest); }

void TargetSchema::RefreshViews(pg::Connection& blue) {
  const auto rows = blue.Exec(
      "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class AS c"
      " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
      " WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid");
  std::vector<std::string> views;
  for (int i = 0; i < rows.rows(); ++i) views.push_back(rows.String(i, 0));
  while (!views.empty()) {
    std::vector<std::string> waiting;
    for (const auto& view : views) {
      try {
        green_.Exec("REFRESH MATERIALIZED VIEW " + view);
      } catch (const pg::ServerError& error) {
        if (green_.is_broken()) throw;
        // Reads a view that is still empty, or has a reason of its own: the log tells.
        if (error.sqlstate() != kNotPopulated) {
          spdlog::warn("materialized view {} is not populated on green: {}", view, error.what());
        } else {
          waiting.push_back(view);
        }
      }
    }
    if (waiting.size() == views.size()) {
      for (const auto& view : waiting) spdlog::warn("materialized view {} stays empty", view);
      return;
    }
    views = std::move(waiting);
  }
}

}  // namespace pgteal::pipeline
