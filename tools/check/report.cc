#include "tools/check/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tools/cli/json_text.h"

namespace pgteal::tools {
namespace {

constexpr size_t kOutcomes = 5;

struct OutcomeStyle {
  const char* word;
  const char* color;
};

const OutcomeStyle& StyleOf(CheckOutcome outcome) {
  static const std::array<OutcomeStyle, kOutcomes> kStyles = {
      {{"PASS", "32"}, {"INFO", "36"}, {"WARN", "33"}, {"FAIL", "31;1"}, {"SKIPPED", "2"}}};
  return kStyles[static_cast<size_t>(outcome)];
}

const char* SideName(CheckSide side) {
  switch (side) {
    case CheckSide::kBlue:
      return "blue";
    case CheckSide::kGreen:
      return "green";
    case CheckSide::kPair:
      break;
  }
  return "both";
}

std::array<size_t, kOutcomes> Count(const std::vector<CheckResult>& results) {
  std::array<size_t, kOutcomes> counts{};
  for (const auto& result : results) ++counts[static_cast<size_t>(result.outcome)];
  return counts;
}

bool HasFailed(const std::vector<CheckResult>& results) {
  return Count(results)[static_cast<size_t>(CheckOutcome::kFail)] > 0;
}

void AppendFindings(const CheckResult& result, size_t findings_max, std::string* text) {
  constexpr const char* kIndent = "                    ";
  const size_t shown = std::min(result.findings.size(), findings_max);
  for (size_t i = 0; i < shown; ++i) {
    const auto& finding = result.findings[i];
    *text += fmt::format("{}- {}\n", kIndent, finding.object);
    if (!finding.fix.empty()) *text += fmt::format("{}  {}\n", kIndent, finding.fix);
  }
  if (result.findings.size() > shown) {
    *text += fmt::format("{}- and {} more (--json shows all)\n", kIndent,
                         result.findings.size() - shown);
  }
  if (shown > 0 && !result.advice.empty()) *text += fmt::format("{}{}\n", kIndent, result.advice);
}

}  // namespace

std::string CheckText(const std::vector<CheckResult>& results, const ReportOptions& options) {
  std::string text;
  std::string area;
  for (const auto& result : results) {
    if (result.area != area) {
      text += fmt::format("{}{}\n", area.empty() ? "" : "\n", result.area);
      area = result.area;
    }
    const auto& style = StyleOf(result.outcome);
    const std::string word = fmt::format("{:<7}", style.word);
    text +=
        fmt::format("  {}  {:<3} {:<5} {}{}\n",
                    options.is_color ? fmt::format("\033[{}m{}\033[0m", style.color, word) : word,
                    result.id, SideName(result.side), result.title,
                    result.reason.empty() ? "" : fmt::format(" ({})", result.reason));
    AppendFindings(result, options.findings_max, &text);
  }
  const auto counts = Count(results);
  text += fmt::format("\n{} checks:", results.size());
  for (size_t i = 0; i < kOutcomes; ++i) {
    text += fmt::format("{} {} {}", i == 0 ? "" : ",", counts[i],
                        StyleOf(static_cast<CheckOutcome>(i)).word);
  }
  const size_t unanswered = UnansweredOf(results).size();
  if (unanswered > 0) text += fmt::format(". {} guardrails could not be asked", unanswered);
  return text +
         (HasFailed(results) ? ". Not ready.\n" : ". Nothing found that stands in the way.\n");
}

std::string CheckJson(const std::vector<CheckResult>& results) {
  nlohmann::json checks = nlohmann::json::array();
  for (const auto& result : results) {
    nlohmann::json findings = nlohmann::json::array();
    for (const auto& finding : result.findings) {
      findings.push_back({{"object", finding.object}, {"fix", finding.fix}});
    }
    checks.push_back({{"id", result.id},
                      {"area", result.area},
                      {"side", SideName(result.side)},
                      {"title", result.title},
                      {"outcome", StyleOf(result.outcome).word},
                      {"is_guardrail", result.is_guardrail},
                      {"reason", result.reason},
                      {"advice", result.advice},
                      {"findings", findings}});
  }
  nlohmann::json counts;
  const auto numbers = Count(results);
  for (size_t i = 0; i < kOutcomes; ++i) {
    counts[StyleOf(static_cast<CheckOutcome>(i)).word] = numbers[i];
  }
  return JsonText(nlohmann::json{{"verdict", HasFailed(results) ? "refused" : "ready"},
                                 {"counts", counts},
                                 {"checks", checks}},
                  2);
}

}  // namespace pgteal::tools
