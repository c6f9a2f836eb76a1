#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "pg/error.h"
#include "tools/cli/options.h"
#include "tools/cli/signals.h"
#include "tools/cli/verbs.h"
#include "tools/run/run.h"

namespace pgteal::tools {
namespace {

struct RunFlags {
  CommonOptions common;
  RunOptions run;
  std::vector<std::string> reload_tables;
  std::string start_lsn;
  std::string until_lsn;
  int receive_timeout_seconds = 60;
};

const std::map<std::string, applier::ConflictPolicy> kPolicies = {
    {"stop", applier::ConflictPolicy::kStop},
    {"skip", applier::ConflictPolicy::kSkip},
    {"overwrite", applier::ConflictPolicy::kOverwrite}};
const std::map<std::string, pipeline::BinaryMode> kBinaryModes = {
    {"auto", pipeline::BinaryMode::kAuto},
    {"on", pipeline::BinaryMode::kOn},
    {"off", pipeline::BinaryMode::kOff}};
const std::map<std::string, pipeline::DdlGuard> kDdlGuards = {
    {"catalog", pipeline::DdlGuard::kCatalog},
    {"event-trigger", pipeline::DdlGuard::kEventTrigger},
    {"off", pipeline::DdlGuard::kOff}};
const std::map<std::string, pipeline::OriginMode> kOriginModes = {
    {"auto", pipeline::OriginMode::kAuto}, {"off", pipeline::OriginMode::kOff}};

const std::map<std::string, pipeline::ReadAheadMode> kReadAheadModes = {
    {"auto", pipeline::ReadAheadMode::kAuto},
    {"on", pipeline::ReadAheadMode::kOn},
    {"off", pipeline::ReadAheadMode::kOff}};

const std::map<std::string, pipeline::CopyMode> kCopyModes = {{"all", pipeline::CopyMode::kAll},
                                                              {"data", pipeline::CopyMode::kData},
                                                              {"none", pipeline::CopyMode::kNone}};

constexpr const char* kExamples = R"(Examples:
  # from an empty green to a caught-up one; the same command resumes after anything
  pgteal run --source "host=blue dbname=app user=pgteal" --target "host=green dbname=app"
  # keep an existing pair of schemas in step; the same command resumes after anything
  pgteal run --copy none --source "host=blue dbname=app" --target "host=green dbname=app"
  # apply what blue holds now, then end
  pgteal run --copy none --until-caught-up
  # green was restored from a snapshot of blue that corresponds to this LSN (after `pgteal prepare`)
  pgteal run --copy none --start-lsn 16/B374D848
)";

void AddStreamFlags(CLI::App* verb, RunFlags* flags) {
  auto& stream = flags->run.stream;
  verb->add_option("--lanes", stream.lanes,
                   "Connections to green that apply at the same time; 0: two, four to a far green")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  verb->add_option("--ddl-guard", stream.ddl_guard,
                   "How changes of blue's schema are noticed: catalog (compared every 10 s), "
                   "event-trigger (statements are logged on blue as well; superuser), off")
      ->transform(OneOf(kDdlGuards))
      ->default_str("catalog");
  verb->add_option("--on-conflict", stream.on_conflict,
                   "When green does not hold what blue's change expects: stop, skip, overwrite")
      ->transform(OneOf(kPolicies))
      ->default_str("stop");
  verb->add_option("--binary", stream.binary, "Values in binary form: auto, on, off")
      ->transform(OneOf(kBinaryModes))
      ->default_str("auto");
  verb->add_option("--read-ahead", stream.read_ahead,
                   "Read a backlog through a temporary copy of the slot: auto (a large one), on, "
                   "off")
      ->transform(OneOf(kReadAheadModes))
      ->default_str("auto");
  verb->add_option("--receive-timeout", flags->receive_timeout_seconds,
                   "Seconds without an answer of blue after which the session is begun anew; 0: "
                   "never")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str();
  verb->add_option("--origin", stream.origin, "Tag commits on green with an origin: auto, off")
      ->transform(OneOf(kOriginModes))
      ->default_str("auto");
  verb->add_flag("--synchronous-commit", stream.synchronous_commit,
                 "Wait for green's WAL flush (and its synchronous standbys) at every commit");
  stream.spool_folder = std::filesystem::temp_directory_path().string();
  verb->add_option("--spool-folder", stream.spool_folder,
                   "Folder for transactions too large for memory")
      ->capture_default_str();
  verb->add_option("--spool-limit", stream.spool_bytes_max, "Bytes the spool may take; 0: no limit")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  verb->add_option("--batch-rows", stream.batcher.limits.rows_max,
                   "Rows that one commit on green changes at most, about")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb->add_flag("--until-caught-up", stream.until_caught_up,
                 "End once everything that blue held at the start is durable on green");
  verb->add_option("--until-lsn", flags->until_lsn, "End at this LSN of blue; nothing beyond it")
      ->check(CheckLsn)
      ->type_name("X/Y");
}

void AddLoadFlags(CLI::App* verb, RunFlags* flags) {
  auto& load = flags->run.load;
  verb->add_option("--copy", load.mode,
                   "What to copy first: all (schema and data, green is empty), data (green has the "
                   "schema; building its secondary indexes afterwards would be faster), none")
      ->transform(OneOf(kCopyModes))
      ->default_str("all");
  verb->add_option("--jobs", load.jobs, "Tables copied and indexes built at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->add_option("--pg-bin", load.dump.pg_bin,
                   "Folder of pg_dump and pg_restore, at least as new as blue; default: PATH");
  verb->add_flag("--no-owner", load.dump.no_owner, "Everything on green belongs to our role");
  verb->add_flag("--no-privileges", load.dump.no_privileges, "No GRANT and REVOKE on green");
  verb->add_flag("--set-replica-identity", load.bootstrap.set_replica_identity,
                 "Give tables without a usable replica identity one: a unique index or FULL");
  verb->add_option("--reload-table", flags->reload_tables,
                   "Copy this table (schema.table) of a running deployment once more; repeatable")
      ->type_name("TABLE");
}

// The part before the first dot is the schema; public without one.
// "a.b".c: a schema with a dot in its name stands in quotes.
std::optional<pipeline::TableKey> ParseQuoted(const std::string& name) {
  if (!name.starts_with('"')) return std::nullopt;
  std::string schema;
  for (size_t i = 1; i < name.size(); ++i) {
    if (name[i] == '"' && name.compare(i, 2, "\"\"") != 0) {
      if (name.compare(i, 2, "\".") != 0) break;
      return pipeline::TableKey{schema, name.substr(i + 2)};
    }
    if (name[i] == '"') ++i;
    schema += name[i];
  }
  return std::nullopt;
}

std::set<pipeline::TableKey> ParseTables(const std::vector<std::string>& names) {
  std::set<pipeline::TableKey> tables;
  for (const auto& name : names) {
    const size_t dot = name.find('.');
    if (const auto quoted = ParseQuoted(name)) {
      tables.insert(*quoted);
    } else if (dot == std::string::npos) {
      tables.emplace("public", name);
    } else {
      tables.emplace(name.substr(0, dot), name.substr(dot + 1));
    }
  }
  return tables;
}

int RunVerb(RunFlags& flags) {
  auto& run = flags.run;
  run.load.reload = ParseTables(flags.reload_tables);
  run.deployment = {.source = ParseSource(flags.common),
                    .target = ParseTarget(flags.common),
                    .name = flags.common.name};
  if (!flags.start_lsn.empty()) run.start_lsn = pg::Lsn::Parse(flags.start_lsn);
  if (!flags.until_lsn.empty()) run.stream.until_lsn = *pg::Lsn::Parse(flags.until_lsn);
  run.stream.receive_timeout = std::chrono::seconds(flags.receive_timeout_seconds);
  run.is_terminal = isatty(STDERR_FILENO) == 1;
  const auto& stop = StopOnSignals();
  return Run(run, stop, SignalInterrupt());
}

}  // namespace

void AddRun(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* verb = app->add_subcommand("run", "Bootstrap if needed, then stream until stopped");
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  AddLoadFlags(verb, flags.get());
  verb->add_option("--start-lsn", flags->start_lsn,
                   "Green already holds everything committed at or before this LSN of blue")
      ->check(CheckLsn)
      ->type_name("X/Y");
  verb->add_option("--include-table", flags->run.load.bootstrap.include_tables,
                   "Publish only tables that match [schema.]table with * and ?; repeatable")
      ->type_name("PATTERN");
  verb->add_option("--exclude-table", flags->run.load.bootstrap.exclude_tables,
                   "Do not publish tables that match; repeatable")
      ->type_name("PATTERN");
  AddStreamFlags(verb, flags.get());
  verb->footer(kExamples);
  verb->callback([flags, exit_code] { *exit_code = RunVerb(*flags); });
}

}  // namespace pgteal::tools
