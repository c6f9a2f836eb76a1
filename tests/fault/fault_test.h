#ifndef PGTEAL_TESTS_FAULT_FAULT_TEST_H_
#define PGTEAL_TESTS_FAULT_FAULT_TEST_H_

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"
#include "tests/support/workload.h"

namespace pgteal::tests {

// What the fault tests share: the workload's tables, a pgteal that makes many small commits, random
// moments, and the end that every one of them has to come to. One thread, apart from the workload.
class FaultTest : public testing::Test {
 protected:
  using Milliseconds = std::chrono::milliseconds;

  explicit FaultTest(ClusterPair& clusters = ClusterPair::Shared()) : db_(clusters) {
    Workload::CreateTables(db_);
    // The slot comes first: what is written before it would be missing on green.
    EXPECT_EQ(db_.Pgteal({"prepare"})->WaitExit(), 0);
    std::printf("fault seed %u\n", seed_);
  }

  // Begins a transaction that holds these locks. The lanes take theirs in another order, so now and
  // then the server picks the stranger as a deadlock's victim: it tries again.
  static void BeginWith(Sql& stranger, const std::string& lock) {
    for (int attempt = 0; attempt < 50; ++attempt) {
      const std::string sqlstate = stranger.Failure("BEGIN; " + lock);
      if (sqlstate.empty()) return;
      stranger.Exec("ROLLBACK");
      ASSERT_EQ(sqlstate, "40P01") << lock;
    }
    FAIL() << "a deadlock each time: " << lock;
  }

  std::unique_ptr<PgtealProcess> Start(const std::string& blue = "",
                                       const std::string& green = "") const {
    return db_.PgtealVia(blue, green, kArgs);
  }

  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  // A random time in which the process must not end by itself.
  void ExpectRunsFor(PgtealProcess& pgteal, int low_ms, int high_ms) {
    EXPECT_FALSE(pgteal.WaitExit(Milliseconds(Pick(low_ms, high_ms)))) << "it ended by itself";
  }
  // Green's progress, or "" while there is none to be read.
  std::string Progress() {
    try {
      return db_.green().Scalar("SELECT max(end_lsn) FROM pgteal.progress");
    } catch (const SqlError&) {
      return "";
    }
  }
  // Until green's progress has moved on from where it is now.
  [[nodiscard]] bool WaitProgress(Milliseconds timeout = std::chrono::seconds(60)) {
    const std::string before = Progress();
    const auto has_moved = [&] {
      const std::string now = Progress();
      return !now.empty() && now != before;
    };
    return WaitUntil(has_moved, timeout);
  }

  // The end of every fault test, after the workload: all is there, once, and blue may forget it. A
  // slow machine leaves a long way to go.
  void ExpectArrived(Milliseconds timeout = std::chrono::seconds(240)) {
    const std::string goal = db_.blue().Scalar("SELECT pg_current_wal_lsn()");
    ASSERT_TRUE(db_.WaitCaughtUp(timeout));
    EXPECT_TRUE(db_.Equal());
    EXPECT_TRUE(Workload::IsConsistent(db_.green()));
    const std::string question = "SELECT bool_and(confirmed_flush_lsn >= '" + goal +
                                 "') FROM pg_replication_slots WHERE slot_name = 'pgteal'";
    EXPECT_TRUE(WaitUntil([&] { return db_.blue().Scalar(question) == "t"; }, timeout))
        << "the slot has not advanced to " << goal;
  }

  // Many commits, several lanes.
  const std::vector<std::string> kArgs = {"run", "--copy",       "none", "--lanes",
                                          "3",   "--batch-rows", "200"};
  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
  DatabasePair db_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_FAULT_FAULT_TEST_H_
