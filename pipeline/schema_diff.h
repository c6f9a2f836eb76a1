#ifndef PGTEAL_PIPELINE_SCHEMA_DIFF_H_
#define PGTEAL_PIPELINE_SCHEMA_DIFF_H_

#include <string>
#include <string_view>
#include <vector>

#include "applier/side_names.h"
#include "pipeline/schema_catalog.h"

namespace pgteal::pipeline {

enum class Difference : uint8_t {
  kExtra,      // only on green, and harmless to what blue does
  kExtraRule,  // only on green, and may refuse what blue accepts: a constraint, a unique index
  kWidened,    // green takes everything that blue does: int -> bigint, a longer varchar, a label
  kDifferent,
  kMissing,  // only on blue
};

// The kinds of differences that are no objects: blue's publication does not send the table, green
// has not all its rows, a copy of it was interrupted.
inline constexpr const char* kPublishedTable = "published table";
inline constexpr const char* kCompleteTable = "complete table";
inline constexpr const char* kCopiedTable = "copied table";
// Never a difference: what was complete when blue was prepared.
inline constexpr const char* kPreparedTable = "prepared table";

struct SchemaDifference {
  Difference what = Difference::kDifferent;
  std::string kind;
  std::string object;
  std::string blue;   // definition, empty where it is missing
  std::string green;  // the same
  std::string fix;    // SQL for green, or empty

  // "column public.t.a: integer on blue, text on green"
  std::string Describe(const applier::SideNames& names = {}) const;
  // `fix`, where it names the sides.
  std::string FixFor(const applier::SideNames& names) const;
};

// What distinguishes green's schema from blue's, the worst first. Differences of what belongs to a
// missing object are left out. Pure.
std::vector<SchemaDifference> CompareSchemas(const Schema& blue, const Schema& green);

// Whether every value of `from` is one of `to`, and keeps its meaning. Types as format_type() has
// them.
bool IsWidening(std::string_view from, std::string_view to);
// Whether two view definitions are the same but for blanks and the names before a dot: version 16
// names columns without their table where 15 did not.
bool IsSameQuery(std::string_view one, std::string_view other);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_DIFF_H_
