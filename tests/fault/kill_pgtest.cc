#include <gtest/gtest.h>

#include <string>

#include "tests/fault/fault_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::milliseconds;

class Kill : public FaultTest {
 protected:
  // Kills at random moments, some before the stream has begun: at least `kills` times, and on a
  // slow machine more often, until green had moved on in between `moves_min` times. Returns how
  // often it had.
  int KillAgainAndAgain(int kills, int moves_min) {
    int moves = 0;
    std::string before;
    for (int i = 0; i < kills || (moves < moves_min && i < 3 * kills); ++i) {
      const auto pgteal = Start();
      if (Pick(1, 10) > 1) {
        // It streams, or reads a long backlog ahead.
        EXPECT_TRUE(pgteal->WaitForLog(" slot=pgteal lsn=")) << "start " << i;
      }
      if (Pick(1, 10) > 3) {
        EXPECT_TRUE(WaitProgress()) << "start " << i;
      }
      ExpectRunsFor(*pgteal, 5, 150);
      pgteal->Kill9();
      EXPECT_TRUE(Workload::IsConsistent(db_.green())) << "after kill " << i;
      const std::string now = Progress();
      moves += now == before ? 0 : 1;
      before = now;
      if (HasFailure()) break;
    }
    return moves;
  }
};

TEST_F(Kill, AHundredKillsDuringAWorkloadLoseAndDoubleNothing) {
  // However slow the machine, the workload outlasts the kills.
  Workload workload(db_.BlueInfo(),
                    {.transactions_max = 200'000, .pace = milliseconds(16), .rest = 3});
  EXPECT_GE(KillAgainAndAgain(100, 70), 70);
  EXPECT_FALSE(workload.is_finished());
  workload.Stop();
  std::printf("%d transactions\n", workload.committed());
  const auto pgteal = Start();
  ExpectArrived();
}

TEST_F(Kill, KillsBetweenTheBlocksOfStreamedTransactionsLoseAndDoubleNothing) {
  db_.blue().Exec("ALTER DATABASE " + db_.name() + " SET logical_decoding_work_mem = '64kB'");
  // Some of them are large enough for the spool.
  Workload workload(db_.BlueInfo(),
                    {.sessions = 3, .pace = milliseconds(80), .rest = 8, .large_rows = 50'000});
  EXPECT_GE(KillAgainAndAgain(20, 10), 10);
  workload.Stop();
  EXPECT_NE(db_.blue().Scalar("SELECT coalesce(max(stream_txns), 0) FROM pg_stat_replication_slots"
                              " WHERE slot_name = 'pgteal'"),
            "0");
  const auto pgteal = Start();
  ExpectArrived();
}

}  // namespace
}  // namespace pgteal::tests
