#ifndef PGTEAL_TESTS_SUPPORT_WORKLOAD_H_
#define PGTEAL_TESTS_SUPPORT_WORKLOAD_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {

struct WorkloadOptions {
  uint64_t seed = 0;  // 0: chosen and printed
  int sessions = 4;
  int transactions_max = 20'000;  // of all sessions together
  // The mean time between the transactions of one session.
  std::chrono::milliseconds pace{16};
  // A session rests at least so many times as long as its last transaction took: on a slow machine
  // pgteal has the same share of it left, and does not fall behind for ever.
  int rest = 1;
  // Rows of an occasional large transaction.
  int large_rows = 600;
  // Every so often a table is emptied.
  bool with_truncate = true;
};

// Sessions on blue that write what is hard to replicate, from the constructor until Stop():
// transactions that begin in one order and commit in another, hot rows, moving keys, values
// exchanged under a second unique index, rows that occur twice in a table without a key, an
// insert-only table without any identity, TOASTed values that are kept or replaced, savepoints
// rolled back, now and then a large transaction or a TRUNCATE. A statement that fails (deadlock,
// duplicate, blue restarting) rolls its transaction back, and the session goes on. What is written
// depends on the seed and, through the interleaving, on time.
class Workload {
 public:
  Workload(const std::string& blue_conninfo, const WorkloadOptions& options = {});
  ~Workload();
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  // The tables on both sides with the same rows, and on blue a publication `pgteal` of all tables
  // (made here because one of them has no identity, which pgteal would not publish on its own).
  static void CreateTables(DatabasePair& db);
  // A fact of every state that blue ever committed: money is moved, never made. Reads one snapshot.
  static bool IsConsistent(Sql& sql);

  // No new transactions; those that are open are finished. May be called twice.
  void Stop();
  // Transactions committed so far, by what blue confirmed.
  int committed() const { return committed_.load(); }
  bool is_finished() const { return running_.load() == 0; }

 private:
  void FlushCommits() const;
  void RunSession(int number);
  bool Pause(std::chrono::microseconds time);

  const std::string conninfo_;
  const WorkloadOptions options_;
  std::atomic<bool> stops_ = false;
  std::atomic<int> begun_ = 0;
  std::atomic<int> committed_ = 0;
  std::atomic<int> running_ = 0;
  std::mutex mutex_;
  std::condition_variable stopping_;
  std::vector<std::thread> threads_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_WORKLOAD_H_
