#ifndef PGTEAL_BENCH_E2E_PGBENCH_LOAD_H_
#define PGTEAL_BENCH_E2E_PGBENCH_LOAD_H_

#include <atomic>
#include <string>
#include <thread>

#include "tests/support/cluster_pair.h"
#include "tests/support/temp_folder.h"

namespace pgteal::bench {

struct PgbenchOptions {
  int rate = 500;  // transactions a second
  int clients = 10;
  bool reconnects = false;  // a connection for each transaction (pgbench -C)
};

// pgbench's own transactions at a fixed rate, on whichever side takes writes. pgbench gives up when
// its server leaves it; it is then started anew, on the other side if that one lets it in.
class PgbenchLoad {
 public:
  // pgbench's tables with the same rows on both sides; `role` may write there.
  static void CreateTables(tests::DatabasePair& db, const std::string& role);

  PgbenchLoad(const tests::DatabasePair& db, const std::string& role,
              const PgbenchOptions& options);
  ~PgbenchLoad();
  PgbenchLoad(const PgbenchLoad&) = delete;
  PgbenchLoad& operator=(const PgbenchLoad&) = delete;

  void Stop();
  // After Stop(): by pgbench's own count.
  int acknowledged() const { return acknowledged_; }
  // After Stop(): every acknowledged transaction is there once and whole. What was cut off between
  // its commit and the answer may be there too, one for each client of a run that was cut off.
  std::string Missing(tests::Sql& side) const;  // empty when nothing is

 private:
  void RunAgainAndAgain();
  // False when it could not even begin.
  bool RunOnce(int side);

  void CutOff(int side) const;

  const std::string owners_[2];  // conninfos
  const std::string role_;
  const PgbenchOptions options_;
  const tests::TempFolder folder_{"pgteal-pgbench"};
  std::atomic<bool> stops_ = false;
  int acknowledged_ = 0;
  int in_doubt_max_ = 0;
  std::thread thread_;
};

}  // namespace pgteal::bench

#endif  // PGTEAL_BENCH_E2E_PGBENCH_LOAD_H_
