#include "pipeline/turn.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

TEST(Turn, TheNamesOfTheSidesTurnWithThem) {
  const Deployment deployment{.source = pg::ConnInfo::Parse("host=one"),
                              .target = pg::ConnInfo::Parse("host=two"),
                              .name = "pgteal"};
  const auto there = Oriented(deployment, 2);
  EXPECT_EQ(there.source.Describe(), deployment.source.Describe());
  EXPECT_EQ(there.sides.blue, "blue");
  const auto back = Oriented(deployment, 3);
  EXPECT_EQ(back.source.Describe(), deployment.target.Describe());
  EXPECT_EQ(back.target.Describe(), deployment.source.Describe());
  EXPECT_EQ(back.sides.blue, "green");
  EXPECT_EQ(back.sides.green, "blue");
}

}  // namespace
}  // namespace pgteal::pipeline
