#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "pg/error.h"
#include "tools/check/check.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/options.h"
#include "tools/cli/signals.h"
#include "tools/cli/verbs.h"
#include "tools/switchover/switchover.h"

namespace pgteal::tools {
namespace {

struct SwitchoverFlags {
  CommonOptions common;
  SwitchoverOptions options;
  int timeout_seconds = 300;
  std::vector<std::string> skip_checks;
  bool no_way_back = false;
  bool no_analyze = false;
  bool no_refresh = false;
  bool dry_run = false;
  bool json = false;
};

constexpr const char* kSwitchoverExamples = R"(Examples:
  pgteal switchover --dry-run              # every guardrail, and the outage to expect
  pgteal switchover --timeout 60           # blue is closed, drained, green is opened
  pgteal switchover --pgbouncer "host=pool port=6432 user=admin dbname=pgbouncer" \
                    --pgbouncer-config /etc/pgbouncer/pgbouncer.ini
  pgteal switchover --hook 'test "$PGTEAL_PHASE" != switched || /usr/local/bin/move-dns'
`pgteal run` has to be at work; it streams the other way afterwards.
)";

constexpr const char* kRollbackExamples = R"(Examples:
  pgteal rollback --dry-run
  pgteal rollback                          # green is closed, drained into blue, blue is opened
)";

void Print(const SwitchoverReport& report, bool json) {
  std::cout << (json ? ReportJson(report) + "\n" : ReportText(report)) << std::flush;
}

int Turn(SwitchoverFlags& flags, TurnKind kind) {
  RequireKnownChecks("--skip-check", flags.skip_checks);
  auto& options = flags.options;
  options.kind = kind;
  options.deployment = {.source = ParseSource(flags.common),
                        .target = ParseTarget(flags.common),
                        .name = flags.common.name};
  options.timeout = std::chrono::seconds(flags.timeout_seconds);
  options.skip_checks = {flags.skip_checks.begin(), flags.skip_checks.end()};
  options.way_back = !flags.no_way_back;
  options.analyze = !flags.no_analyze;
  options.refresh_matviews = !flags.no_refresh;
  if (options.pooler.database.empty()) {
    options.pooler.database = options.deployment.source.Get("dbname");
  }
  Switchover switchover(options, StopOnSignals());
  try {
    int code = kDone;
    if (flags.dry_run) {
      switchover.Rehearse();
    } else {
      code = switchover.Run();
    }
    Print(switchover.report(), flags.json);
    return code;
  } catch (const pg::Error&) {
    Print(switchover.report(), flags.json);
    throw;
  }
}

void AddFlags(CLI::App* verb, SwitchoverFlags* flags) {
  auto& options = flags->options;
  AddSource(verb, &flags->common);
  AddTarget(verb, &flags->common);
  AddName(verb, &flags->common);
  verb->add_option("--timeout", flags->timeout_seconds,
                   "Seconds until everything is undone, if it is not through by then")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  verb->add_flag("--dry-run", flags->dry_run,
                 "Check and measure everything, close nothing, predict the outage");
  verb->add_option("--hook", options.hook,
                   "Shell command after every step; environment: PGTEAL_PHASE (switched, undone, "
                   "…), PGTEAL_SOURCE, PGTEAL_TARGET, PGTEAL_FROM, PGTEAL_TO, PGTEAL_LSN. Before "
                   "the point of no return another exit code than 0 undoes everything")
      ->type_name("COMMAND");
  verb->add_option(
          "--leave-role", options.leave_roles,
          "A role whose login and sessions the fence leaves alone (monitoring); repeatable")
      ->type_name("ROLE");
  verb->add_flag("--verify", options.verify,
                 "Refuse unless `pgteal verify` compared all tables within the last 24 hours and "
                 "found nothing");
  verb->add_option("--skip-check", flags->skip_checks,
                   "A guardrail that does not count (its id in `pgteal check`); repeatable")
      ->type_name("ID");
  verb->add_option("--pgbouncer", options.pooler.conninfo,
                   "PgBouncer's admin console: PAUSE before, RELOAD and RESUME after")
      ->envname("PGTEAL_PGBOUNCER")
      ->type_name("CONNINFO");
  verb->add_option("--pgbouncer-config", options.pooler.config,
                   "Its pgbouncer.ini, whose entry is pointed at the side that was opened")
      ->check(CLI::ExistingFile);
  verb->add_option("--pgbouncer-database", options.pooler.database,
                   "The entry in [databases]; default: blue's database");
  verb->add_flag("--no-way-back", flags->no_way_back,
                 "Do not arm the stream in the other direction: there is no rollback");
  verb->add_flag("--no-analyze", flags->no_analyze,
                 "Do not ANALYZE tables without statistics before the fence");
  verb->add_flag("--no-refresh", flags->no_refresh,
                 "Do not REFRESH materialized views before the fence");
  verb->add_flag("--json", flags->json, "Machine-readable report");
}

void AddVerb(CLI::App* app, int* exit_code, TurnKind kind, const char* name, const char* text,
             const char* examples) {
  auto flags = std::make_shared<SwitchoverFlags>();
  CLI::App* verb = app->add_subcommand(name, text);
  AddFlags(verb, flags.get());
  verb->footer(examples);
  verb->callback([flags, exit_code, kind] { *exit_code = Turn(*flags, kind); });
}

}  // namespace

void AddSwitchover(CLI::App* app, int* exit_code) {
  AddVerb(app, exit_code, TurnKind::kSwitchover, "switchover",
          "Close blue, drain it into green, open green", kSwitchoverExamples);
}

void AddRollback(CLI::App* app, int* exit_code) {
  AddVerb(app, exit_code, TurnKind::kRollback, "rollback",
          "After a switchover: close green, drain it into blue, open blue", kRollbackExamples);
}

}  // namespace pgteal::tools
