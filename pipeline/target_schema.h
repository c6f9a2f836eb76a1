#ifndef PGTEAL_PIPELINE_TARGET_SCHEMA_H_
#define PGTEAL_PIPELINE_TARGET_SCHEMA_H_

#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/build_queue.h"
#include "pipeline/dump_script.h"
#include "pipeline/load_progress.h"
#include "pipeline/options.h"
#include "pipeline/post_data.h"
#include "pipeline/supervisor.h"

namespace pgteal::pipeline {

struct TargetSchemaOptions {
  size_t jobs = 4;
  // An interrupted load may have made some of it: what exists already is left as it is.
  bool is_resumed = false;
};

// Executes a dump's items on green, each in a transaction of its own: in order, or with several
// sessions at a time where that saves time. The conducting thread of a load, but for Build().
class TargetSchema {
 public:
  TargetSchema(const Deployment& deployment, const TargetSchemaOptions& options,
               Supervisor& supervisor, LoadProgress& progress);

  // Tables, types, functions: everything but what slows a copy down.
  void CreatePreData(const std::vector<DumpItem>& items);
  // Indexes of partitioned tables, those of their partitions come later. Before any build.
  void CreateParents(const PostDataPlan& plan) { ExecuteAll(plan.parents); }
  // One worker, in a session of its own: builds until none is left. Several at the same time.
  void Build(BuildQueue& builds) const;
  // When all are built.
  void AttachIndexes(const PostDataPlan& plan) { ExecuteAll(plan.attachments); }
  // Where the tables come from several snapshots, a foreign key may find no partner yet: it then
  // stays NOT VALID, or is left out on a partitioned table. True if there is such a one.
  bool AddConstraints(const PostDataPlan& plan, bool has_one_snapshot);
  void CreateRest(const PostDataPlan& plan);
  // Those that were populated on blue. Repeated for views of views.
  void RefreshViews(pg::Connection& blue);

 private:
  void Execute(pg::Connection& green, const Statement& statement) const;
  static void Validate(pg::Connection& green, const Statement& check);
  void ExecuteAll(const std::vector<Statement>& statements);
  template <typename Body>
  void InParallel(const std::vector<Statement>& statements, Body body);
  pg::SessionOptions SessionOptions() const;

  const Deployment& deployment_;
  const TargetSchemaOptions options_;
  Supervisor& supervisor_;
  LoadProgress& progress_;
  pg::Connection green_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TARGET_SCHEMA_H_
