// The write outage of switchovers and rollbacks, as clients of the database see it: from the last
// transaction that one side acknowledged to the first that the other did. Each client records what
// was acknowledged; afterwards all of it has to be there, once, or the figures do not count.
// pgbench makes the load, clients of our own beside it measure.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/e2e/pgbench_load.h"
#include "tests/support/cluster_pair.h"
#include "tests/support/ledger.h"

namespace {

using namespace pgteal::tests;  // NOLINT(google-build-using-namespace): a program of one file
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr const char* kRole = "shop";

struct BenchOptions {
  int runs = 10;
  int clients = 10;
  int pace_ms = 20;  // of each client
  pgteal::bench::PgbenchOptions pgbench;
  int sequences = 1000;
  std::string json;
};

struct Run {
  std::string verb;
  double seen_ms = 0;      // by the clients
  double reported_ms = 0;  // by pgteal, from the last commit to the opening
  double closed_ms = 0;    // by pgteal, from the beginning of the fence
};

void CreateSequences(DatabasePair& db, int count) {
  const std::string create = "DO $$ BEGIN FOR i IN 1.." + std::to_string(count) +
                             " LOOP EXECUTE format('CREATE SEQUENCE s_%s', i); END LOOP; END $$";
  db.ExecBoth(create);
  db.blue().Exec("SELECT setval('s_' || i, i) FROM generate_series(1, " + std::to_string(count) +
                 ") AS i");
}

Run Turn(DatabasePair& db, Ledger& ledger, int number) {
  Run run{.verb = number % 2 == 0 ? "switchover" : "rollback"};
  auto pgteal = db.Pgteal({run.verb, "--json"});
  if (pgteal->WaitExit(std::chrono::seconds(60)) != 0) {
    throw std::runtime_error(run.verb + " failed: " + pgteal->Log());
  }
  if (!ledger.WaitForMore(200)) throw std::runtime_error("nobody takes writes");
  const auto report = nlohmann::json::parse(pgteal->Stdout());
  run.reported_ms = report["outage_ms"];
  run.closed_ms = report["closed_ms"];
  run.seen_ms = Milliseconds(ledger.Outages().at(static_cast<size_t>(number))).count();
  std::cout << fmt::format(
                   "{:>3} {:<10} {:>8.1f} ms seen, {:>8.1f} ms reported, {:>8.1f} ms closed\n",
                   number + 1, run.verb, run.seen_ms, run.reported_ms, run.closed_ms)
            << std::flush;
  return run;
}

int Report(const BenchOptions& options, const std::vector<Run>& runs, int acknowledged,
           int pgbench_acknowledged, bool is_kept) {
  std::vector<double> seen;
  std::vector<double> reported;
  nlohmann::json all = nlohmann::json::array();
  for (const auto& run : runs) {
    seen.push_back(run.seen_ms);
    all.push_back({{"verb", run.verb},
                   {"seen_ms", run.seen_ms},
                   {"reported_ms", run.reported_ms},
                   {"closed_ms", run.closed_ms}});
    reported.push_back(run.reported_ms);
  }
  std::sort(seen.begin(), seen.end());
  std::sort(reported.begin(), reported.end());
  const double median = seen[seen.size() / 2];
  const double reported_median = reported[reported.size() / 2];
  std::cout << fmt::format(
      "write outage: median {:.1f} ms, worst {:.1f} ms as seen by the clients; median {:.1f} ms, "
      "worst {:.1f} ms as reported; {} transactions of the clients and {} of pgbench acknowledged, "
      "{}\n",
      median, seen.back(), reported_median, reported.back(), acknowledged, pgbench_acknowledged,
      is_kept ? "none lost, none doubled" : "NOT ALL KEPT");
  if (!options.json.empty()) {
    std::ofstream(options.json) << nlohmann::json{{"runs", all},
                                                  {"median_ms", median},
                                                  {"worst_ms", seen.back()},
                                                  {"reported_median_ms", reported_median},
                                                  {"reported_worst_ms", reported.back()},
                                                  {"acknowledged", acknowledged},
                                                  {"pgbench_acknowledged", pgbench_acknowledged},
                                                  {"kept", is_kept}}
                                       .dump(1)
                                << "\n";
  }
  return is_kept ? 0 : 1;
}

int Measure(const BenchOptions& options) {
  ClusterPair clusters({.blue = 17, .green = 17});
  DatabasePair db(clusters);
  Ledger::CreateTable(db, kRole);
  pgteal::bench::PgbenchLoad::CreateTables(db, kRole);
  CreateSequences(db, options.sequences);
  auto run = db.Pgteal({"run", "--copy", "none"});
  if (!run->WaitForLog("streaming slot=")) throw std::runtime_error("run: " + run->Log());
  const std::chrono::milliseconds pace(options.pace_ms);
  Ledger ledger(db, kRole, options.clients, {.write = pace, .reconnect = pace});
  pgteal::bench::PgbenchLoad pgbench(db, kRole, options.pgbench);
  std::vector<Run> runs;
  for (int i = 0; i < options.runs && ledger.WaitForMore(500); ++i) {
    runs.push_back(Turn(db, ledger, i));
  }
  ledger.Stop();
  pgbench.Stop();
  auto& last = options.runs % 2 == 1 ? db.green() : db.blue();
  const auto kept = ledger.IsKeptBy(last);
  const std::string missing = pgbench.Missing(last);
  if (!kept) std::cout << kept.message() << "\n";
  if (!missing.empty()) std::cout << missing << "\n";
  return Report(options, runs, ledger.acknowledged(), pgbench.acknowledged(),
                kept && missing.empty());
}

}  // namespace

int main(int argc, char** argv) {
  BenchOptions options;
  CLI::App app("Measures the write outage of switchovers under load");
  app.add_option("--runs", options.runs)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--clients", options.clients)->check(CLI::Range(1, 500))->capture_default_str();
  app.add_option("--pace", options.pace_ms, "Milliseconds between two transactions of a client")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--rate", options.pgbench.rate, "Transactions of pgbench a second")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_flag("--connect", options.pgbench.reconnects,
               "pgbench connects anew for each transaction");
  app.add_option("--sequences", options.sequences)
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  app.add_option("--json", options.json, "File for the figures");
  CLI11_PARSE(app, argc, argv);
  try {
    return Measure(options);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
