#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/temp_folder.h"

namespace pgteal::tests {
namespace {

// The recorded streams of every version (tests/replay), applied to an empty database.
class Fixtures : public testing::TestWithParam<int> {
 protected:
  Fixtures() : db_(ClusterPair::Shared()) {
    db_.green().Exec(ReadFile(Folder() + "/schema.sql"));
    // What the workload adds to its tables in the middle.
    db_.green().Exec("ALTER TABLE grown ADD COLUMN w int DEFAULT 7");
  }

  static std::string Folder() { return PGTEAL_REPLAY_FOLDER; }
  std::string Rows() {
    std::string text;
    db_.green().Exec("SET TimeZone = 'UTC'");
    for (const auto& row : db_.green().Query(ReadFile(Folder() + "/rows.sql"))) {
      text += row.front() + "\n";
    }
    return text;
  }
  void Replay(const std::vector<std::string>& options) {
    std::vector<std::string> args = {
        "replay", Folder() + "/captures/" + std::to_string(GetParam()) + ".frames"};
    args.insert(args.end(), options.begin(), options.end());
    auto process = db_.Pgteal(args);
    ASSERT_EQ(process->WaitExit(), 0) << process->Log();
    EXPECT_EQ(Rows(), ReadFile(Folder() + "/expected.txt"));
  }

  DatabasePair db_;
};

TEST_P(Fixtures, GiveBluesRows) { Replay({}); }
TEST_P(Fixtures, GiveBluesRowsInSmallBatches) { Replay({"--batch-rows", "1", "--lanes", "4"}); }

INSTANTIATE_TEST_SUITE_P(Versions, Fixtures, testing::Values(14, 15, 16, 17, 18));

}  // namespace
}  // namespace pgteal::tests
