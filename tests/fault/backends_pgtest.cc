#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/fault/fault_test.h"
#include "tests/support/gate.h"

namespace pgteal::tests {
namespace {

class Backends : public FaultTest {
 protected:
  void SetUp() override {
    pgteal_ = Start();
    ASSERT_TRUE(pgteal_->WaitForLog("streaming slot="));
  }

  // Ends one backend of those with this application name, if there is one. Returns how many.
  static int TerminateOne(Sql& sql, const std::string& pattern) {
    return std::stoi(
        sql.Scalar("SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                   " WHERE application_name LIKE '" +
                   pattern + "' ORDER BY random() LIMIT 1) AS one"));
  }

  // At random moments, some while the stream is just getting over the last time.
  void TerminateAgainAndAgain(Sql& sql, const std::string& pattern, int times) {
    int ended = 0;
    const auto all_ended = [&] {
      if (Pick(1, 10) > 2) {
        EXPECT_TRUE(WaitProgress());
      }
      ExpectRunsFor(*pgteal_, 5, 200);
      ended += TerminateOne(sql, pattern);
      return ended >= times || HasFailure();
    };
    EXPECT_TRUE(WaitUntil(all_ended, std::chrono::seconds(120)));
  }

  void ExpectGoesOn() {
    EXPECT_TRUE(WaitProgress());
    EXPECT_TRUE(Workload::IsConsistent(db_.green()));
    workload_.Stop();
    ExpectArrived();
    EXPECT_TRUE(pgteal_->IsRunning());
  }

  Workload workload_{db_.BlueInfo()};
  std::unique_ptr<PgtealProcess> pgteal_;
};

TEST_F(Backends, TerminatedLanesAreReplacedAndNothingIsLostOrDoubled) {
  TerminateAgainAndAgain(db_.green(), "pgteal lane %", 50);
  ExpectGoesOn();
}

TEST_F(Backends, ATerminatedWalsenderIsReplacedAndNothingIsLostOrDoubled) {
  TerminateAgainAndAgain(db_.blue(), "pgteal stream %", 20);
  ExpectGoesOn();
}

// The main thread is then nearly always waiting for an answer of green when the lane fails; once,
// what ended its wait ended the process.
TEST_F(Backends, ALaneThatIsTerminatedWhileGreenIsSlowToAnswerIsReplaced) {
  Gate gate(db_.clusters().green());
  gate.Delay(Milliseconds(20));
  pgteal_->Kill9();
  pgteal_ = Start("", gate.ConnInfo(db_.name()));
  TerminateAgainAndAgain(db_.green(), "pgteal lane %", 5);
  gate.Pass();
  ExpectGoesOn();
}

TEST_F(Backends, TheSessionThatOnlyAsksQuestionsIsReplaced) {
  TerminateAgainAndAgain(db_.green(), "pgteal target %", 10);
  ExpectGoesOn();
}

}  // namespace
}  // namespace pgteal::tests
