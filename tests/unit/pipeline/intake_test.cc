#include "pipeline/intake.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

TEST(Intake, IsClosedOnceTheBatcherHasSeenIt) {
  Doorbell batcher;
  Intake intake(batcher);
  EXPECT_TRUE(intake.is_open());
  EXPECT_TRUE(intake.Lets({1000}));
  intake.Close();
  EXPECT_FALSE(intake.is_closed());
  EXPECT_TRUE(intake.lets_nothing());
  intake.Look();
  EXPECT_TRUE(intake.is_closed());
  intake.Open();
  EXPECT_FALSE(intake.lets_nothing());
}

// It does not look for as long as green keeps it waiting.
TEST(Intake, IsClosedWhileTheBatcherIsBusy) {
  Doorbell batcher;
  Intake intake(batcher);
  intake.SetBusy(true);
  EXPECT_FALSE(intake.is_closed());
  intake.Close();
  EXPECT_TRUE(intake.is_closed());
  intake.SetBusy(false);
  EXPECT_FALSE(intake.is_closed());
  intake.Look();
  EXPECT_TRUE(intake.is_closed());
}

TEST(Intake, LetsWhatEndsAtTheLimitAndNothingBehindIt) {
  Doorbell batcher;
  Intake intake(batcher);
  EXPECT_FALSE(intake.stop_lsn().is_valid());
  intake.OpenUntil({100});
  EXPECT_TRUE(intake.Lets({100}));
  EXPECT_FALSE(intake.Lets({101}));
  EXPECT_EQ(intake.stop_lsn(), pg::Lsn{100});
  intake.Close();
  EXPECT_FALSE(intake.stop_lsn().is_valid());
}

}  // namespace
}  // namespace pgteal::pipeline
