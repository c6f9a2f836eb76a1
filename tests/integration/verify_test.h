#ifndef PGTEAL_TESTS_INTEGRATION_VERIFY_TEST_H_
#define PGTEAL_TESTS_INTEGRATION_VERIFY_TEST_H_

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {

// A stream, and `pgteal verify` beside it. One thread.
class VerifyTest : public StreamTest {
 protected:
  using Json = nlohmann::json;

  explicit VerifyTest(Versions versions = DefaultVersions()) : StreamTest(versions) {}

  std::unique_ptr<PgtealProcess> LaunchVerify(const Args& args = {}) const {
    Args all = {"--log-level", "debug", "verify", "--json"};
    all.insert(all.end(), args.begin(), args.end());
    return db_.Pgteal(all);
  }
  // Runs it to its end, which has to be `expected`, and returns what it reports.
  Json Verify(int expected, const Args& args = {}) {
    verify_ = LaunchVerify(args);
    const int code = verify_->WaitExit(std::chrono::seconds(180)).value_or(-1);
    EXPECT_EQ(code, expected) << verify_->Stdout() << verify_->Log() << Log();
    return Json::parse(verify_->Stdout(), nullptr, false);
  }
  std::string VerifyLog() const { return verify_->Log(); }

  static const Json& Table(const Json& report, const std::string& name) {
    for (const auto& table : report.at("tables")) {
      if (table.at("table") == name) return table;
    }
    throw std::runtime_error("no table " + name + " in " + report.dump());
  }
  // "missing {id: 5}" and so on, sorted.
  static std::vector<std::string> Differences(const Json& report, const std::string& name) {
    std::vector<std::string> found;
    for (const auto& difference : Table(report, name).at("differences")) {
      std::string text = difference.at("kind").get<std::string>() + difference.at("key").dump();
      if (difference.contains("columns")) text += difference.at("columns").dump();
      found.push_back(text);
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::unique_ptr<PgtealProcess> verify_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_INTEGRATION_VERIFY_TEST_H_
