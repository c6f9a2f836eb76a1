#include "tools/check/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/schema_catalog.h"
#include "tools/check/check_table.h"

namespace pgteal::tools {
namespace {

constexpr const char* kNotAllowed = "42501";
constexpr const char* kNoDeployment = "no deployment yet";

void Replace(std::string* text, const std::string& token, const std::string& value) {
  for (size_t at = text->find(token); at != std::string::npos;
       at = text->find(token, at + value.size())) {
    text->replace(at, token.size(), value);
  }
}

std::string Expand(const char* sql, const CheckContext& context) {
  std::string text =
      std::string(pipeline::kUserObjects) + applier::Renamed(sql, context.options.sides);
  Replace(&text, "@name@", pg::QuoteLiteral(context.options.name));
  Replace(&text, "@seconds@", std::to_string(context.options.long_transaction.count()));
  Replace(&text, "@before@", context.options.phase == CheckPhase::kBefore ? "true" : "false");
  Replace(&text, "@target@",
          std::to_string(context.green == nullptr ? 0 : context.green->server_version()));
  return text;
}

Level ParseLevel(std::string_view text) {
  if (text == "fatal") return Level::kFatal;
  if (text == "warn") return Level::kWarn;
  return text == "info" ? Level::kInfo : Level::kNone;
}

Findings AskServer(pg::Connection& connection, const Check& check, const CheckContext& context) {
  const auto rows = connection.Exec(Expand(check.sql, context));
  Findings findings;
  for (int i = 0; i < rows.rows(); ++i) {
    findings.push_back({.finding = {.object = rows.String(i, 0),
                                    .fix = rows.columns() > 1 ? rows.String(i, 1) : ""},
                        .level = rows.columns() > 2 ? ParseLevel(rows.Text(i, 2)) : Level::kNone});
  }
  return findings;
}

Findings ComparePair(const Check& check, const CheckContext& context) {
  const auto rows = context.green->Exec(Expand(check.green_sql, context));
  std::set<std::string> known;
  for (int i = 0; i < rows.rows(); ++i) known.insert(rows.String(i, 0));
  auto findings = AskServer(*context.blue, check, context);
  findings.erase(std::remove_if(findings.begin(), findings.end(),
                                [&known](const LeveledFinding& one) {
                                  return known.contains(one.finding.object);
                                }),
                 findings.end());
  return findings;
}

std::string MissingRole(pg::Connection& connection, const std::string& role) {
  const auto row = connection.Exec(
      "SELECT pg_has_role(current_user, $1, 'USAGE'), quote_ident(current_user)", {role});
  if (row.Bool(0, 0)) return "";
  return fmt::format("what it looks for is hidden from our role: GRANT {} TO {};", role,
                     row.Text(0, 1));
}

CheckAnswer Ask(const Check& check, const CheckContext& context) {
  if (check.side == CheckSide::kPair) {
    if (context.blue == nullptr) return {.findings = {}, .skipped = "no --source"};
    if (context.green == nullptr) return {.findings = {}, .skipped = "no --target"};
    if (check.code != nullptr) return check.code(context);
    return {.findings = ComparePair(check, context), .skipped = ""};
  }
  const bool is_blue = check.side == CheckSide::kBlue;
  pg::Connection* server = is_blue ? context.blue : context.green;
  if (server == nullptr) {
    return {.findings = {}, .skipped = is_blue ? "no --source" : "no --target"};
  }
  if (server->server_version() < check.version_min) {
    return {.findings = {},
            .skipped = fmt::format("for PostgreSQL {} and later", check.version_min / 10000)};
  }
  if (*check.role != '\0') {
    const std::string missing = MissingRole(*server, check.role);
    if (!missing.empty()) return {.findings = {}, .skipped = missing};
  }
  if (check.code != nullptr) return check.code(context);
  return {.findings = AskServer(*server, check, context), .skipped = ""};
}

CheckAnswer TryToAsk(const Check& check, const CheckContext& context) {
  try {
    return Ask(check, context);
  } catch (const pg::ServerError& error) {
    return {.findings = {},
            .skipped = (error.sqlstate() == kNotAllowed ? "not permitted: " : "") +
                       std::string(error.what())};
  }
}

CheckOutcome OutcomeOf(Level level) {
  switch (level) {
    case Level::kFatal:
      return CheckOutcome::kFail;
    case Level::kWarn:
      return CheckOutcome::kWarn;
    case Level::kInfo:
      return CheckOutcome::kInfo;
    case Level::kNone:
      break;
  }
  return CheckOutcome::kPass;
}

// As the operator calls it.
CheckSide NamedSide(CheckSide side, const applier::SideNames& sides) {
  if (side == CheckSide::kPair) return side;
  return (side == CheckSide::kBlue ? sides.blue : sides.green) == "blue" ? CheckSide::kBlue
                                                                         : CheckSide::kGreen;
}

CheckResult Judge(const Check& check, const applier::SideNames& sides, Level own,
                  CheckAnswer answer) {
  CheckResult result{.id = check.id,
                     .area = {},
                     .side = NamedSide(check.side, sides),
                     .title = applier::Renamed(check.title, sides),
                     .outcome = CheckOutcome::kPass,
                     .reason = std::move(answer.skipped),
                     .is_guardrail = own == Level::kFatal,
                     .advice = applier::Renamed(check.advice, sides),
                     .findings = {}};
  if (!result.reason.empty()) {
    result.outcome = CheckOutcome::kSkipped;
    return result;
  }
  // The worst first: of a long list only the beginning is shown.
  const auto level_of = [own](const LeveledFinding& one) {
    return one.level == Level::kNone ? own : one.level;
  };
  std::stable_sort(
      answer.findings.begin(), answer.findings.end(),
      [&](const auto& left, const auto& right) { return level_of(left) > level_of(right); });
  for (auto& one : answer.findings) {
    result.outcome = std::max(result.outcome, OutcomeOf(level_of(one)));
    result.findings.push_back(std::move(one.finding));
  }
  return result;
}

bool IsWanted(const Check& check, const CheckOptions& options) {
  if (options.side && *options.side != NamedSide(check.side, options.sides)) return false;
  if (check.copy && *check.copy != options.copy) return false;
  if (options.skip.contains(check.id)) return false;
  return options.only.empty() || options.only.contains(check.id);
}

bool IsForDeployments(const Levels& levels) {
  return levels.before == Level::kNone && levels.running != Level::kNone;
}

}  // namespace

Level Levels::At(CheckPhase phase) const {
  switch (phase) {
    case CheckPhase::kBefore:
      return before;
    case CheckPhase::kRunning:
      return running;
    case CheckPhase::kSwitchover:
      return switchover;
  }
  return Level::kNone;
}

std::vector<CheckResult> RunChecks(pg::Connection* blue, pg::Connection* green,
                                   const CheckOptions& options) {
  const CheckContext context{.blue = blue, .green = green, .options = options};
  std::vector<CheckResult> results;
  for (const auto& area : AllChecks()) {
    for (const auto& check : area.checks) {
      if (!IsWanted(check, options)) continue;
      const Level level = check.levels.At(options.phase);
      const bool is_early = options.phase == CheckPhase::kBefore && IsForDeployments(check.levels);
      if (level == Level::kNone && !is_early) continue;
      results.push_back(Judge(check, options.sides, level,
                              is_early ? CheckAnswer{.findings = {}, .skipped = kNoDeployment}
                                       : TryToAsk(check, context)));
      results.back().area = area.name;
    }
  }
  return results;
}

void RequireKnownChecks(const std::string& option, const std::vector<std::string>& ids) {
  std::set<std::string> known;
  for (const auto& area : AllChecks()) {
    for (const auto& check : area.checks) known.insert(check.id);
  }
  for (const auto& id : ids) {
    if (known.contains(id)) continue;
    throw pg::ConfigError(fmt::format("{} {}: there is no check of this id", option, id),
                          "`pgteal check` shows the ids; they are written like D19.");
  }
}

std::vector<CheckResult> FatalOf(const std::vector<CheckResult>& results) {
  std::vector<CheckResult> fatal;
  std::copy_if(results.begin(), results.end(), std::back_inserter(fatal),
               [](const CheckResult& one) { return one.outcome == CheckOutcome::kFail; });
  return fatal;
}

std::vector<CheckResult> UnansweredOf(const std::vector<CheckResult>& results) {
  std::vector<CheckResult> unanswered;
  std::copy_if(results.begin(), results.end(), std::back_inserter(unanswered),
               [](const CheckResult& one) {
                 return one.outcome == CheckOutcome::kSkipped && one.is_guardrail;
               });
  return unanswered;
}

std::string Summary(const std::vector<CheckResult>& results) {
  constexpr size_t kNamesMax = 5;
  std::string text;
  for (const auto& result : results) {
    text += fmt::format("{}{} {}:", text.empty() ? "" : "; ", result.id, result.title);
    for (size_t i = 0; i < std::min(result.findings.size(), kNamesMax); ++i) {
      text += fmt::format("{} {}", i == 0 ? "" : ",", result.findings[i].object);
    }
    if (result.findings.size() > kNamesMax) {
      text += fmt::format(" and {} more", result.findings.size() - kNamesMax);
    }
  }
  return text;
}

const std::vector<CheckArea>& AllChecks() {
  static const std::vector<CheckArea> kAreas = {
      IdentityChecks(), WalChecks(),          PrivilegeChecks(),
      TableChecks(),    PublicationChecks(),  UncarriedChecks(),
      ActivityChecks(), MajorVersionChecks(), RunningChecks()};
  return kAreas;
}

}  // namespace pgteal::tools
