#ifndef PGTEAL_TESTS_SUPPORT_PG_CLUSTER_H_
#define PGTEAL_TESTS_SUPPORT_PG_CLUSTER_H_

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/process.h"
#include "tests/support/sql.h"
#include "tests/support/temp_folder.h"

namespace pgteal::tests {

using Settings = std::map<std::string, std::string>;  // as in postgresql.conf, values unquoted

// The folder with the programs of a major version; of PostgreSQL 15 when asked for psql or pgbench.
// Servers are looked for where `tools/setup --print` says. Throws std::runtime_error.
std::filesystem::path ServerBin(int major);
std::filesystem::path ClientProgram(const std::string& name);
// One of 127.0.0.1 that nobody listens on now, below the ephemeral range.
int FreePort();

// A throwaway server: own data folder, own Unix socket, own port on 127.0.0.1 (below the ephemeral
// range, kept over restarts), trust authentication, superuser `postgres`, UTF8, wal_level=logical,
// fsync=off unless set otherwise. Stopped and removed by the destructor. Of one
// program's clusters each has a system identifier of its own; those of another program may have the
// same. Throws std::runtime_error with the server's log.
class PgCluster {
 public:
  // Begins to make the data folder and returns, so that several clusters can be made side by side.
  explicit PgCluster(int major, Settings settings = {});
  ~PgCluster();
  PgCluster(const PgCluster&) = delete;
  PgCluster& operator=(const PgCluster&) = delete;

  enum class StopMode { kFast, kImmediate };

  void Start();
  // Start() in two steps, for several clusters side by side.
  void Launch();
  void WaitReady();
  void Stop(StopMode mode = StopMode::kFast);
  void Restart(StopMode mode = StopMode::kFast);
  // All its processes die at once, as in a power cut.
  void Kill9();
  // All its processes stand still, and go on: connections stay, and nobody answers. Ends with the
  // server.
  void Freeze();
  void Thaw();
  bool IsRunning();

  // Written to the configuration; in force after Reload() or Restart(), by the setting's nature.
  void Set(const std::string& name, const std::string& value);
  void Reload();

  // Unix socket; TCP over 127.0.0.1.
  std::string ConnInfo(const std::string& dbname = "postgres") const;
  std::string TcpConnInfo(const std::string& dbname = "postgres") const;
  Sql Connect(const std::string& dbname = "postgres") const { return Sql(ConnInfo(dbname)); }
  // A session on `postgres` that is kept: a new one costs more than what most ask of it.
  Sql& admin();

  int major() const { return major_; }
  int port() const { return port_; }
  std::filesystem::path socket_folder() const { return folder_.path(); }
  std::filesystem::path data_folder() const { return folder_ / "data"; }
  // Of the System V segment by which a postmaster knows that another serves the same folder; while
  // there is one.
  std::optional<int> shared_memory_id() const;
  std::string Log() const { return ReadFile(folder_ / "server.log"); }

 private:
  void FinishInitdb();
  void WriteSettings() const;
  bool HasReadyMark() const;
  [[noreturn]] void Fail(const std::string& what) const;

  const int major_;
  const std::filesystem::path bin_;
  Settings settings_;
  TempFolder folder_;
  int port_ = 0;
  bool was_ready_ = false;
  std::unique_ptr<Process> initdb_;
  std::unique_ptr<Process> postmaster_;
  std::optional<Sql> admin_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_PG_CLUSTER_H_
