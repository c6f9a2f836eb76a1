#include "tools/switchover/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "tools/cli/json_text.h"
#include "tools/cli/time_text.h"

namespace pgteal::tools {
namespace {

double Rounded(SwitchoverReport::Milliseconds time) {
  return static_cast<double>(static_cast<int64_t>(time.count() * 10)) / 10;
}

nlohmann::json TimeJson(const std::optional<pg::Timestamp>& time) {
  return time ? nlohmann::json(TimeText(*time)) : nlohmann::json();
}

std::string TimesText(const SwitchoverReport::Times& times) {
  std::string text = fmt::format("write outage   {:.0f} ms", times.outage.count());
  if (!times.is_from_commit) {
    text +=
        times.last_commit ? ", from the fence: the last commit was before it" : ", from the fence";
  }
  text += fmt::format("\nclosed         {:.0f} ms\nlast commit    {}\n", times.closed.count(),
                      times.last_commit ? TimeText(*times.last_commit) : "none seen");
  if (times.opened) text += fmt::format("opened         {}\n", TimeText(*times.opened));
  return text;
}

}  // namespace

std::string ReportText(const SwitchoverReport& report) {
  std::string text = fmt::format("{}: {}\n", report.verb, report.result);
  for (const auto& reason : report.reasons) {
    text +=
        fmt::format("reason: {}{}{}\n", reason.what, reason.fix.empty() ? "" : ". ", reason.fix);
  }
  for (const auto& step : report.steps) {
    text += fmt::format("  {:<14}{:>10.1f} ms\n", step.name, step.took.count());
  }
  if (!report.skipped_checks.empty()) {
    text += fmt::format("skipped        {}\n", fmt::join(report.skipped_checks, ", "));
  }
  for (const auto& warning : report.warnings) text += fmt::format("warning: {}\n", warning);
  const bool is_rehearsal = report.result == "rehearsed";
  if (is_rehearsal || report.result == "switched") {
    text += is_rehearsal
                ? fmt::format("write outage (predicted)  {:.0f} ms\n", report.times.outage.count())
                : TimesText(report.times);
    text += fmt::format("sequences      {}\nlarge objects  {}\nlag            {} bytes\n",
                        report.sequences, report.large_objects, report.lag_bytes);
  }
  if (report.barrier.is_valid()) text += fmt::format("barrier        {}\n", report.barrier);
  if (report.start_lsn.is_valid()) text += fmt::format("way back from  {}\n", report.start_lsn);
  return text;
}

std::string ReportJson(const SwitchoverReport& report) {
  nlohmann::json steps = nlohmann::json::array();
  for (const auto& step : report.steps) {
    steps.push_back({{"name", step.name}, {"ms", Rounded(step.took)}});
  }
  nlohmann::json reasons = nlohmann::json::array();
  for (const auto& reason : report.reasons) {
    reasons.push_back({{"what", reason.what}, {"fix", reason.fix}});
  }
  return JsonText(nlohmann::json{
      {"verb", report.verb},
      {"result", report.result},
      {"reasons", reasons},
      {"steps", steps},
      {"warnings", report.warnings},
      {"skipped_checks", report.skipped_checks},
      {"outage_ms", Rounded(report.times.outage)},
      {"outage_from", report.times.is_from_commit ? "last_commit" : "fence"},
      {"closed_ms", Rounded(report.times.closed)},
      {"last_commit_at", TimeJson(report.times.last_commit)},
      {"opened_at", TimeJson(report.times.opened)},
      {"sequences", report.sequences},
      {"large_objects", report.large_objects},
      {"lag_bytes", report.lag_bytes},
      {"barrier_lsn", report.barrier.is_valid() ? report.barrier.ToString() : ""},
      {"way_back_lsn", report.start_lsn.is_valid() ? report.start_lsn.ToString() : ""}});
}

}  // namespace pgteal::tools
