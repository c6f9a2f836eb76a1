#ifndef PGTEAL_TESTS_INTEGRATION_STREAM_TEST_H_
#define PGTEAL_TESTS_INTEGRATION_STREAM_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {

// A pair of databases with `pgteal run --copy none` between them. Two ways to write a test:
// Bootstrap(), write on blue, Apply() - what was written goes through in one known piece -, or
// Start(), write while it streams, ExpectCaughtUpAndEqual(). One thread.
class StreamTest : public PairTest {
 protected:
  using Args = std::vector<std::string>;

  explicit StreamTest(Versions versions = DefaultVersions()) : PairTest(versions) {}

  std::unique_ptr<PgtealProcess> Launch(const Args& args = {}) const {
    Args all = {"--log-level", "debug", "run", "--copy", "none"};
    all.insert(all.end(), args.begin(), args.end());
    return db_.Pgteal(all);
  }
  // Runs it to its end and says how it ended.
  int Run(const Args& args = {}) {
    process_ = Launch(args);
    const int code = process_->WaitExit(std::chrono::seconds(120)).value_or(-1);
    // Blue's walsender sees a moment later that its client has gone.
    EXPECT_TRUE(WaitUntil(
        [this] {
          return blue().Scalar(
                     "SELECT count(*) FROM pg_replication_slots WHERE active AND database "
                     "= current_database()") == "0";
        },
        std::chrono::seconds(30)));
    return code;
  }
  // The same through other conninfos; an empty one is the pair's.
  int RunVia(const std::string& blue_info, const std::string& green_info, const Args& args = {}) {
    Args all = {"--log-level", "debug", "run", "--copy", "none", "--until-caught-up"};
    all.insert(all.end(), args.begin(), args.end());
    process_ = db_.PgtealVia(blue_info, green_info, all);
    return process_->WaitExit().value_or(-1);
  }
  int RunUntilCaughtUp(Args args = {}) {
    args.emplace_back("--until-caught-up");
    return Run(args);
  }
  // Publication, slot and green's bookkeeping; what blue commits from now on is streamed.
  void Bootstrap() { ASSERT_EQ(RunUntilCaughtUp(), 0) << Log(); }
  // Brings green up to blue.
  void Apply(const Args& args = {}) { ASSERT_EQ(RunUntilCaughtUp(args), 0) << Log(); }
  void ExpectApplied(const Args& args = {}) {
    ASSERT_NO_FATAL_FAILURE(Apply(args));
    EXPECT_TRUE(db_.Equal());
  }

  // Streams in the background from here on.
  void Start(const Args& args = {}) {
    process_ = Launch(args);
    ASSERT_TRUE(process_->WaitForLog("streaming slot=")) << Log();
  }
  void StopCleanly() {
    process_->Terminate();
    EXPECT_EQ(process_->WaitExit(), 130) << Log();
  }

  PgtealProcess& process() { return *process_; }
  std::string Log() const { return process_ ? process_->Log() : ""; }
  // Row values never go to the log. Plant `secret` in the rows a failure speaks of.
  void ExpectNotLogged(const std::string& secret) const {
    EXPECT_THAT(Log(), testing::Not(testing::HasSubstr(secret)));
  }
  void ExpectLogNames(const std::vector<std::string>& words) const {
    for (const auto& word : words) EXPECT_THAT(Log(), testing::HasSubstr(word));
  }

 private:
  std::unique_ptr<PgtealProcess> process_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_INTEGRATION_STREAM_TEST_H_
