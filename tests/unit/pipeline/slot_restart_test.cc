#include "pipeline/slot_restart.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

TEST(SlotRestart, ServersThatMoveCatalogXminTooFarAreLeftAlone) {
  for (const int bad : {130'021, 140'017, 150'012, 160'008, 170'004}) {
    EXPECT_FALSE(MayAdvanceSlots(bad)) << bad;
  }
  for (const int good : {140'018, 150'013, 160'009, 170'005, 180'000, 190'001}) {
    EXPECT_TRUE(MayAdvanceSlots(good)) << good;
  }
}

}  // namespace
}  // namespace pgteal::pipeline
