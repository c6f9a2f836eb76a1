#include <utility>

#include "applier/schema.h"
#include "pipeline/schema_baseline.h"
#include "pipeline/schema_catalog.h"
#include "pipeline/schema_drift.h"
#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

Level LevelOf(pipeline::Difference difference) {
  switch (difference) {
    case pipeline::Difference::kExtra:
      return Level::kInfo;
    case pipeline::Difference::kExtraRule:
    case pipeline::Difference::kWidened:
      return Level::kWarn;
    case pipeline::Difference::kDifferent:
    case pipeline::Difference::kMissing:
      break;
  }
  return Level::kNone;
}

bool IsBeforeSchema(const CheckOptions& options) {
  return options.phase == CheckPhase::kBefore && options.copy == CheckCopy::kAll;
}
constexpr const char* kNoSchemaYet = "run --copy all makes green's schema";

// A check that follows sees the same moment as the first, which is part of the same answer.
const std::vector<pipeline::SchemaDifference>& Structure(const CheckContext& context) {
  if (!context.structure) {
    context.structure = pipeline::CompareStructure(*context.blue, *context.green);
  }
  return *context.structure;
}

}  // namespace

CheckAnswer CheckSchema(const CheckContext& context) {
  if (IsBeforeSchema(context.options)) return {.findings = {}, .skipped = kNoSchemaYet};
  auto differences = Structure(context);
  pipeline::SuggestRenames(*context.blue, *context.green, context.options.name, &differences);
  CheckAnswer answer;
  for (const auto& one : differences) {
    answer.findings.push_back({.finding = {.object = one.Describe(context.options.sides),
                                           .fix = one.FixFor(context.options.sides)},
                               .level = LevelOf(one.what)});
  }
  return answer;
}

CheckAnswer CheckSettings(const CheckContext& context) {
  if (IsBeforeSchema(context.options)) return {.findings = {}, .skipped = kNoSchemaYet};
  constexpr auto kWeight = pipeline::SchemaWeight::kSetting;
  CheckAnswer answer;
  for (const auto& one : pipeline::CompareSchemas(pipeline::ReadSchema(*context.blue, kWeight),
                                            pipeline::ReadSchema(*context.green, kWeight))) {
    const Level level = LevelOf(one.what);
    answer.findings.push_back({.finding = {.object = one.Describe(context.options.sides),
                                           .fix = one.FixFor(context.options.sides)},
                               .level = level == Level::kWarn ? Level::kNone : level});
  }
  return answer;
}

CheckAnswer CheckDrift(const CheckContext& context) {
  const auto unasked = [](const char* why) { return CheckAnswer{.findings = {}, .skipped = why}; };
  if (!applier::HasSchema(*context.green)) return unasked("no deployment yet");
  CheckAnswer answer;
  const auto& name = context.options.name;
  const auto baseline = pipeline::ReadBaseline(*context.green, name);
  const auto changes = baseline ? pipeline::FindDrift(*context.blue, *context.green, name,
                                                      *baseline, Structure(context))
                                : pipeline::FindBehind(*context.blue, *context.green, name);
  if (!baseline && changes.empty()) {
    return unasked("no baseline: pgteal run has not compared the schemas (--ddl-guard off?)");
  }
  for (const auto& one : changes) {
    answer.findings.push_back({.finding = {.object = one.Describe(context.options.sides),
                                           .fix = one.FixFor(context.options.sides)},
                               .level = Level::kNone});
  }
  return answer;
}

}  // namespace pgteal::tools
