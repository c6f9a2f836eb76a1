#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/fault/fault_test.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

constexpr uint64_t kPeakRssMax = uint64_t{300} << 20;

class SlowGreen : public FaultTest {
 protected:
  SlowGreen() {
    db_.blue().Exec("ALTER DATABASE " + db_.name() + " SET wal_sender_timeout = '2s'");
  }
  std::string Walsender() {
    return db_.blue().Scalar(
        "SELECT coalesce(active_pid, 0) FROM pg_replication_slots WHERE slot_name = 'pgteal'");
  }
};

TEST_F(SlowGreen, BlockedForTwentySecondsItCostsNeitherTheStreamNorMemory) {
  Workload workload(db_.BlueInfo(), {.pace = std::chrono::milliseconds(15), .large_rows = 10'000});
  const auto pgteal = Start();
  ASSERT_TRUE(pgteal->WaitForLog("streaming slot="));
  ASSERT_TRUE(WaitProgress());
  const std::string walsender = Walsender();
  {
    Sql blocker(db_.GreenInfo());
    ASSERT_NO_FATAL_FAILURE(
        BeginWith(blocker, "LOCK TABLE accounts, log, keyed IN ACCESS EXCLUSIVE MODE"));
    ExpectRunsFor(*pgteal, 20'000, 20'500);
    EXPECT_EQ(Walsender(), walsender) << "blue lost patience";
  }
  ASSERT_TRUE(WaitProgress());
  workload.Stop();
  ExpectArrived(seconds(120));
  EXPECT_EQ(Walsender(), walsender);
  EXPECT_TRUE(pgteal->IsRunning());
  EXPECT_LT(pgteal->PeakRssBytes(), kPeakRssMax);
  std::printf("peak memory %llu MB\n",
              static_cast<unsigned long long>(pgteal->PeakRssBytes() >> 20));
}

}  // namespace
}  // namespace pgteal::tests
