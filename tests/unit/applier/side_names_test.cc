#include "applier/side_names.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(SideNames, WhatATextIsFilledWithIsTheOperators) {
  const SideNames turned = SideNamesAt(1);
  EXPECT_EQ(turned.Format("table {} is missing on green: blue has {}", "public.green", 3),
            "table public.green is missing on blue: green has 3");
  EXPECT_EQ(SideNames{}.Format("{} on green", std::string("blue")), "blue on green");
}

}  // namespace
}  // namespace pgteal::applier
