#include "tests/support/cluster_pair.h"

#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include "tests/support/table_compare.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

constexpr const char* kMayWrite = "SET default_transaction_read_only = off";

int FromEnv(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

std::string NextName() {
  static int count = 0;
  return "test_" + std::to_string(++count);
}

void CreateDatabase(PgCluster& cluster, const std::string& name) {
  // Writing every page of the template to WAL, the default since version 15, takes longer, and our
  // slots would have to read it.
  const char* strategy = cluster.major() >= 15 ? " STRATEGY file_copy" : "";
  cluster.admin().Exec("CREATE DATABASE " + name + " TEMPLATE template0" + strategy);
}

// The slots hold the database, and their walsenders the slots.
void DropSlots(Sql& sql, const std::string& database) {
  const std::string theirs = " FROM pg_replication_slots WHERE database = '" + database + "'";
  const auto drop = [&] {
    sql.Exec("SELECT pg_terminate_backend(active_pid)" + theirs + " AND active");
    return sql.Failure("SELECT pg_drop_replication_slot(slot_name)" + theirs).empty();
  };
  if (!WaitUntil(drop, std::chrono::seconds(20))) ADD_FAILURE() << "a slot cannot be dropped";
}

// Which only a session inside the database may do.
void RollBackPrepared(PgCluster& cluster, const std::string& database) {
  const Rows prepared = cluster.admin().Query(
      "SELECT gid FROM pg_prepared_xacts WHERE database = '" + database + "'");
  if (prepared.empty()) return;
  Sql inside = cluster.Connect(database);
  for (const Row& row : prepared) inside.Exec("ROLLBACK PREPARED '" + row[0] + "'");
}

void DropDatabase(PgCluster& cluster, const std::string& name) {
  Sql& sql = cluster.admin();
  DropSlots(sql, name);
  RollBackPrepared(cluster, name);
  sql.Exec("DROP DATABASE " + name + " WITH (FORCE)");
  sql.Failure("SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin");
}

}  // namespace

Versions DefaultVersions() {
  return {FromEnv("PGTEAL_BLUE", Versions{}.blue), FromEnv("PGTEAL_GREEN", Versions{}.green)};
}

ClusterPair::ClusterPair(Versions versions, const Settings& blue, const Settings& green)
    : blue_(versions.blue, blue), green_(versions.green, green) {
  blue_.Launch();
  green_.Launch();
  blue_.WaitReady();
  green_.WaitReady();
}

ClusterPair& ClusterPair::Shared(Versions versions) {
  static std::map<std::pair<int, int>, std::unique_ptr<ClusterPair>> pairs;
  auto& pair = pairs[{versions.blue, versions.green}];
  if (!pair) pair = std::make_unique<ClusterPair>(versions);
  return *pair;
}

DatabasePair::DatabasePair(ClusterPair& clusters) : clusters_(clusters), name_(NextName()) {
  CreateDatabase(clusters_.blue(), name_);
  CreateDatabase(clusters_.green(), name_);
}

DatabasePair::~DatabasePair() {
  blue_.reset();
  green_.reset();
  for (PgCluster* cluster : {&clusters_.blue(), &clusters_.green()}) {
    try {
      if (!cluster->IsRunning()) cluster->Start();
      DropDatabase(*cluster, name_);
    } catch (const std::exception& error) {
      ADD_FAILURE() << "database " << name_ << " cannot be dropped: " << error.what();
    }
  }
}

void DatabasePair::ExecBoth(const std::string& sql) {
  blue().Exec(sql);
  green().Exec(sql);
}

std::unique_ptr<PgtealProcess> DatabasePair::Pgteal(const std::vector<std::string>& args) const {
  return PgtealVia("", "", args);
}

std::unique_ptr<PgtealProcess> DatabasePair::PgtealVia(const std::string& blue_info,
                                                       const std::string& green_info,
                                                       const std::vector<std::string>& args) const {
  return std::make_unique<PgtealProcess>(
      args, std::map<std::string, std::string>{
                {"PGTEAL_SOURCE", blue_info.empty() ? BlueInfo() : blue_info},
                {"PGTEAL_TARGET", green_info.empty() ? GreenInfo() : green_info}});
}

std::unique_ptr<PgtealProcess> DatabasePair::PgtealIn(const std::string& script,
                                                      const std::vector<std::string>& args) const {
  return std::make_unique<PgtealProcess>(
      args,
      std::map<std::string, std::string>{{"PGTEAL_SOURCE", BlueInfo()},
                                         {"PGTEAL_TARGET", GreenInfo()}},
      "", script);
}

testing::AssertionResult DatabasePair::WaitCaughtUp(std::chrono::milliseconds timeout) {
  const std::string goal = blue().Scalar("SELECT pg_current_wal_lsn()");
  const std::string question =
      "SELECT coalesce(max(end_lsn) >= '" + goal + "', false) FROM pgteal.progress";
  std::string last = "no answer";
  const auto caught_up = [&] {
    try {
      last = green().Scalar(question);
    } catch (const SqlError& error) {
      last = error.what();  // the table is not there yet, or green restarts
    }
    return last == "t";
  };
  if (WaitUntil(caught_up, timeout)) return testing::AssertionSuccess();
  std::ostringstream text;
  text << "green has not reached " << goal << ": ";
  try {
    text << green().Scalar("SELECT coalesce(max(end_lsn)::text, 'no row') FROM pgteal.progress");
  } catch (const SqlError& error) {
    text << error.what();
  }
  return testing::AssertionFailure() << text.str();
}

testing::AssertionResult DatabasePair::Equal() { return CompareTables(BlueInfo(), GreenInfo()); }

Sql DatabasePair::GreenWriter() const {
  Sql session(GreenInfo());
  session.Exec(kMayWrite);
  return session;
}

Sql& DatabasePair::Live(std::optional<Sql>& session, const std::string& conninfo) {
  if (!session || !session->IsAlive()) {
    session.emplace(conninfo);
    session->Exec(kMayWrite);
  }
  return *session;
}

}  // namespace pgteal::tests
