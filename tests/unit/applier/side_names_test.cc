#include "applier/side_names.h"

#include <gtest/gtest.h>

namespace pgteal::applier {
namespace {

TEST(SideNames, ATextOfTheUsualDirectionIsTurnedWordByWord) {
  EXPECT_EQ(SideNamesAt(0).blue, "blue");
  EXPECT_EQ(SideNamesAt(2).green, "green");
  const SideNames turned = SideNamesAt(1);
  EXPECT_EQ(Renamed("blue's schema; Green has it, evergreen '' bluebell", turned),
            "green's schema; Blue has it, evergreen '' bluebell");
  EXPECT_EQ(Renamed("-- on green", turned), "-- on blue");
  EXPECT_EQ(Renamed("", turned), "");
  EXPECT_EQ(Renamed("Blue, green", SideNamesAt(4)), "Blue, green");
}

}  // namespace
}  // namespace pgteal::applier
