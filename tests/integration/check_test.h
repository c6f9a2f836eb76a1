#ifndef PGTEAL_TESTS_INTEGRATION_CHECK_TEST_H_
#define PGTEAL_TESTS_INTEGRATION_CHECK_TEST_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {

// One `pgteal check --json`, read back.
struct CheckRun {
  int exit_code = -1;
  nlohmann::json report;
  std::string log;

  // Outcomes of a check, one per side it was asked on: "FAIL PASS".
  std::string Outcomes(const std::string& id) const {
    std::string all;
    for (const auto& check : report["checks"]) {
      if (check["id"] == id) all += (all.empty() ? "" : " ") + check["outcome"].get<std::string>();
    }
    return all;
  }
  // Everything a check found, with the fixes.
  std::string Findings(const std::string& id) const {
    std::string all;
    for (const auto& check : report["checks"]) {
      if (check["id"] != id) continue;
      for (const auto& finding : check["findings"]) {
        all +=
            finding["object"].get<std::string>() + "\n" + finding["fix"].get<std::string>() + "\n";
      }
      all += check["reason"].get<std::string>();
    }
    return all;
  }
  // What it says beneath its findings.
  std::string Advice(const std::string& id) const {
    for (const auto& check : report["checks"]) {
      if (check["id"] == id) return check["advice"].get<std::string>();
    }
    return "";
  }
  // "D19: …" of every check with that outcome.
  std::vector<std::string> With(const std::string& outcome) const {
    std::vector<std::string> all;
    for (const auto& check : report["checks"]) {
      if (check["outcome"] == outcome) {
        const auto id = check["id"].get<std::string>();
        all.push_back(id + ": " + Findings(id));
      }
    }
    return all;
  }
};

inline CheckRun ReadCheck(PgtealProcess& process) {
  CheckRun run;
  run.exit_code = process.WaitExit().value_or(-1);
  run.log = process.Log();
  run.report = nlohmann::json::parse(process.Stdout(), nullptr, false);
  EXPECT_FALSE(run.report.is_discarded()) << process.Stdout() << run.log;
  if (run.report.is_discarded()) run.report = {{"checks", nlohmann::json::array()}};
  return run;
}

inline CheckRun RunCheck(const DatabasePair& db, std::vector<std::string> args) {
  args.insert(args.begin(), {"check", "--json"});
  return ReadCheck(*db.Pgteal(args));
}

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_INTEGRATION_CHECK_TEST_H_
