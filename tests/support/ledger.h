#ifndef PGTEAL_TESTS_SUPPORT_LEDGER_H_
#define PGTEAL_TESTS_SUPPORT_LEDGER_H_

#include <gtest/gtest.h>

#include <atomic>
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

  Ledger(const DatabasePair& db, const std::string& role, int clients);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Until so many more transactions were acknowledged.
  [[nodiscard]] bool WaitForMore(int count);
  void Stop();
  int acknowledged() const { return acknowledged_.load(); }
  // After Stop(): the side holds every acknowledged transaction once, and none that was refused.
  testing::AssertionResult IsKeptBy(Sql& side) const;

 private:
  using Entry = std::pair<int, int>;  // client, number

  void RunClient(int client);

  const std::string infos_[2];
  std::atomic<bool> stops_ = false;
  std::atomic<int> acknowledged_ = 0;
  std::mutex mutex_;
  std::set<Entry> kept_;      // acknowledged
  std::set<Entry> in_doubt_;  // cut off before an answer
  std::vector<std::thread> threads_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_LEDGER_H_
