#include <gtest/gtest.h>

#include "pipeline/table_copy.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

PlannedTable Table(const std::string& name) {
  PlannedTable table;
  table.schema = "public";
  table.name = name;
  return table;
}

class CopyQueueTest : public testing::Test {
 protected:
  const std::vector<PlannedTable> plan_ = {Table("a"), Table("b")};
  LoadProgress progress_;
  std::vector<std::string> copied_;
  CopyQueue queue_{plan_,
                   {{.table = 0, .pages = {}}, {.table = 1, .pages = {}}},
                   progress_,
                   [this](const PlannedTable& table) { copied_.push_back(table.name); }};
};

TEST_F(CopyQueueTest, TheEndIsWhenEveryTaskWasLeft) {
  const auto* first = queue_.Next();
  const auto* second = queue_.Next();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(queue_.Next(), nullptr);
  EXPECT_TRUE(queue_.Finish(*first));
  queue_.TellCopied(*first);
  queue_.Leave();
  EXPECT_FALSE(queue_.WaitForEnd(milliseconds(0))) << "the second one is not through";
  EXPECT_TRUE(queue_.Finish(*second));
  queue_.Leave();
  EXPECT_TRUE(queue_.WaitForEnd(milliseconds(0)));
  EXPECT_EQ(copied_, std::vector<std::string>{"a"});
  EXPECT_TRUE(queue_.postponed().empty());
}

// It would postpone it again, and nobody would come back to it.
TEST_F(CopyQueueTest, AWorkerThatAsksAfterTheEndGetsNothingThatWasPostponed) {
  const auto* first = queue_.Next();
  const auto* second = queue_.Next();
  queue_.Postpone(*first);
  queue_.Leave();
  queue_.Postpone(*second);
  queue_.Leave();
  ASSERT_TRUE(queue_.WaitForEnd(milliseconds(0)));
  EXPECT_EQ(queue_.postponed().size(), 2U);
  EXPECT_EQ(queue_.Next(), nullptr);
  EXPECT_EQ(queue_.postponed().size(), 2U);
}

}  // namespace
}  // namespace pgteal::pipeline
