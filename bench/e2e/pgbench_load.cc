#include "bench/e2e/pgbench_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"

namespace pgteal::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using tests::ClientProgram;
using tests::Process;

constexpr int kScale = 10;

void Initialize(const std::string& conninfo) {
  const auto status =
      tests::RunToEnd({.argv = {ClientProgram("pgbench").string(), "--initialize", "--quiet",
                                "--scale", std::to_string(kScale), conninfo}},
                      seconds(120));
  if (status.code != 0) throw std::runtime_error("pgbench --initialize failed");
}

// The number behind it in the report of a pgbench that has ended; 0 when it never began.
int Processed(const std::string& report) {
  std::smatch match;
  const std::regex line("number of transactions actually processed: ([0-9]+)");
  return std::regex_search(report, match, line) ? std::stoi(match[1]) : 0;
}

}  // namespace

void PgbenchLoad::CreateTables(tests::DatabasePair& db, const std::string& role) {
  Initialize(db.BlueInfo());
  Initialize(db.GreenInfo());
  db.ExecBoth("ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY");
  db.ExecBoth("GRANT ALL ON ALL TABLES IN SCHEMA public TO " + role);
  db.ExecBoth("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO " + role);
}

PgbenchLoad::PgbenchLoad(const tests::DatabasePair& db, const std::string& role,
                         const PgbenchOptions& options)
    : owners_{db.BlueInfo(), db.GreenInfo()},
      role_(role),
      options_(options),
      thread_([this] { RunAgainAndAgain(); }) {}

PgbenchLoad::~PgbenchLoad() { Stop(); }

void PgbenchLoad::Stop() {
  stops_ = true;
  if (thread_.joinable()) thread_.join();
}

void PgbenchLoad::RunAgainAndAgain() {
  int side = 0;
  while (!stops_) {
    if (!RunOnce(side)) std::this_thread::sleep_for(milliseconds(5));
    side = 1 - side;
  }
}

bool PgbenchLoad::RunOnce(int side) {
  const auto report = folder_ / "report";
  std::ofstream(report, std::ios::trunc);
  std::vector<std::string> argv = {ClientProgram("pgbench").string(),
                                   "--no-vacuum",
                                   "--time=86400",
                                   fmt::format("--rate={}", options_.rate),
                                   fmt::format("--client={}", options_.clients),
                                   fmt::format("--scale={}", kScale)};
  if (options_.reconnects) argv.emplace_back("--connect");
  argv.push_back(owners_[side] + " user=" + role_);
  Process pgbench({.argv = argv, .stdout_path = report});
  while (!pgbench.Wait(milliseconds(20))) {
    if (stops_) CutOff(side);
  }
  const int processed = Processed(tests::ReadFile(report));
  acknowledged_ += processed;
  in_doubt_max_ += processed > 0 ? options_.clients : 0;
  return processed > 0;
}

// pgbench says what it did only when it ends by itself, as it does without its server.
void PgbenchLoad::CutOff(int side) const {
  tests::Sql(owners_[side])
      .Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + role_ +
            "' AND application_name = 'pgbench'");
}

std::string PgbenchLoad::Missing(tests::Sql& side) const {
  const int rows = std::stoi(side.Scalar("SELECT count(*) FROM pgbench_history"));
  if (rows < acknowledged_ || rows > acknowledged_ + in_doubt_max_) {
    return fmt::format("pgbench: {} transactions acknowledged, {} there", acknowledged_, rows);
  }
  const bool is_whole = side.Scalar(
                            "SELECT (SELECT sum(delta) FROM pgbench_history) = ALL (ARRAY["
                            "(SELECT sum(abalance) FROM pgbench_accounts),"
                            "(SELECT sum(tbalance) FROM pgbench_tellers),"
                            "(SELECT sum(bbalance) FROM pgbench_branches)])") == "t";
  return is_whole ? "" : "pgbench: the balances do not add up";
}

}  // namespace pgteal::bench
