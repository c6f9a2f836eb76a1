#ifndef PGTEAL_TESTS_SUPPORT_LEDGER_H_
#define PGTEAL_TESTS_SUPPORT_LEDGER_H_

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {

// Clients of a production database while its sides change places. Each one counts: transaction
// after transaction inserts its next number, and keeps in mind which ones the server acknowledged.
// One that is refused or cut off connects anew, to whichever side lets it in and takes its next
// row.
class Ledger {
 public:
  // The table, on both sides. `role` may log in and write there.
  static void CreateTable(DatabasePair& db, const std::string& role);

  // What a client waits between two transactions, so that servers and pgteal are not busy with
  // their rows alone, and after it was turned away or cut off: as pools do, for an attempt to
  // connect costs a server a process.
  struct Pace {
    std::chrono::milliseconds write{30};
    std::chrono::milliseconds reconnect{150};
  };

  Ledger(const DatabasePair& db, const std::string& role, int clients, Pace pace);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Until so many more transactions were acknowledged.
  [[nodiscard]] bool WaitForMore(int count);
  void Stop();
  int acknowledged() const { return acknowledged_.load(); }
  // For every change of sides: from the last transaction that one acknowledged to the first that
  // the other did, over all clients.
  std::vector<std::chrono::steady_clock::duration> Outages();
  // After Stop(): the side holds every acknowledged transaction once, and none that was refused.
  testing::AssertionResult IsKeptBy(Sql& side) const;

 private:
  using Entry = std::pair<int, int>;  // client, number

  void RunClient(int client);
  // Until it is this client's turn again; false once it is over.
  bool Pause(std::chrono::milliseconds time);
  void Keep(Entry entry, int side);

  const std::string infos_[2];
  const Pace pace_;
  std::atomic<bool> stops_ = false;
  std::atomic<int> acknowledged_ = 0;
  std::mutex mutex_;
  std::condition_variable stopping_;
  std::set<Entry> kept_;      // acknowledged
  std::set<Entry> in_doubt_;  // cut off before an answer
  int last_side_ = -1;
  std::chrono::steady_clock::time_point last_kept_;
  std::vector<std::chrono::steady_clock::duration> outages_;
  std::vector<std::thread> threads_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_LEDGER_H_
