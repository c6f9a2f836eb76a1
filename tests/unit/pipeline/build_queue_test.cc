#include "pipeline/build_queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

Statement Build(const std::string& name, uint64_t weight, const std::string& table) {
  return {.what = name, .sql = "CREATE INDEX", .weight = weight, .table = {"public", table}};
}

TEST(BuildQueue, AnIndexWaitsForItsTableAndTheMostExpensiveOneComesFirst) {
  const pg::Interrupt interrupt;
  BuildQueue queue({Build("big", 9, "a"), Build("other", 5, "b"), Build("small", 1, "a")}, 2,
                   interrupt);
  queue.Release({"public", "b"});
  queue.Release({"public", "a"});
  EXPECT_EQ(queue.Next()->build.what, "big");
  EXPECT_EQ(queue.Next()->build.what, "other");
  EXPECT_EQ(queue.Next()->build.what, "small");
  queue.ReleaseAll();
  EXPECT_FALSE(queue.Next()) << "there is none left";
}

TEST(BuildQueue, WhatHasNoTableOfItsOwnWaitsForAll) {
  const pg::Interrupt interrupt;
  BuildQueue queue({Build("unknown", 1, "partition")}, 2, interrupt);
  queue.Release({"public", "partitioned"});
  std::string built;
  std::thread worker([&] { built = queue.Next()->build.what; });
  queue.ReleaseAll();
  worker.join();
  EXPECT_EQ(built, "unknown");
}

TEST(BuildQueue, IdleJobsHelpOnceNothingIsCopiedAnyMore) {
  const pg::Interrupt interrupt;
  BuildQueue queue({Build("a", 3, "a"), Build("b", 2, "b"), Build("c", 1, "c")}, 3, interrupt);
  queue.Release({"public", "a"});
  EXPECT_EQ(queue.Next()->helpers, 0U) << "others may be copying";
  queue.ReleaseAll();
  EXPECT_EQ(queue.Next()->helpers, 0U) << "a job for each index";
  queue.Finish();
  queue.Finish();
  EXPECT_EQ(queue.Next()->helpers, 2U);
}

TEST(BuildQueue, AnInterruptEndsTheWait) {
  pg::Interrupt interrupt;
  BuildQueue queue({Build("a", 1, "a")}, 1, interrupt);
  interrupt.Raise();
  EXPECT_THROW(queue.Next(), pg::Interrupted);
}

}  // namespace
}  // namespace pgteal::pipeline
