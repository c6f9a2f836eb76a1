#include "pipeline/rivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/table_filter.h"

namespace pgteal::pipeline {
namespace {

struct Identity {
  std::string system;
  std::string database;
  bool operator==(const Identity&) const = default;
};

Identity IdentityOf(pg::Connection& side) {
  const auto row =
      side.Exec("SELECT system_identifier, current_database() FROM pg_control_system()");
  return {.system = row.String(0, 0), .database = row.String(0, 1)};
}

// What `side` takes, as a green, from a database: names of deployments that are not over.
std::vector<std::string> Taken(pg::Connection& side, const Identity& from) {
  std::vector<std::string> names;
  if (!applier::HasSchema(side)) return names;
  const auto rows = side.Exec(
      "SELECT name FROM pgteal.deployment WHERE source_system_identifier = $1"
      " AND source_database = $2 AND state <> 'switched' ORDER BY name",
      {from.system, from.database});
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.String(i, 0));
  return names;
}

// A table that both would carry; empty for none.
std::string CommonTable(pg::Connection& blue, const std::string& other, const std::string& name,
                        const BootstrapOptions& options) {
  const auto theirs = pg::PublishedTables(blue, other);
  const auto is_same = [](const pg::TableName& a, const pg::TableName& b) {
    return a.schema == b.schema && a.name == b.name;
  };
  const bool is_published = pg::FindPublication(blue, name).has_value();
  const auto ours = is_published ? pg::PublishedTables(blue, name) : std::vector<pg::TableName>{};
  const TableFilter filter(options.include_tables, options.exclude_tables);
  for (const auto& table : theirs) {
    const bool is_common = is_published
                               ? std::any_of(ours.begin(), ours.end(),
                                             [&](const auto& one) { return is_same(one, table); })
                               : filter.Matches(table.schema, table.name);
    if (is_common) return pg::QuoteQualified(table.schema, table.name);
  }
  return "";
}

}  // namespace

void RequireNoRival(pg::Connection& blue, pg::Connection& green, const std::string& name,
                    const BootstrapOptions& options) {
  const auto reversed = Taken(blue, IdentityOf(green));
  if (!reversed.empty()) {
    throw pg::Refused(
        fmt::format("the source takes from the target already, as the green of deployment {}",
                    reversed.front()),
        "Are --source and --target swapped? If not, end that deployment with `pgteal cleanup`.");
  }
  for (const auto& other : Taken(green, IdentityOf(blue))) {
    if (other == name) continue;
    const std::string table = CommonTable(blue, other, name, options);
    if (table.empty()) continue;
    throw pg::Refused(
        fmt::format("green takes table {} from this blue already, by deployment {}", table, other),
        fmt::format("Use --name {}, choose other tables with --include-table, or end it with "
                    "`pgteal cleanup --name {}`.",
                    other, other));
  }
}

void RequireFollows(pg::Connection& following, pg::Connection& leading, const std::string& name) {
  const auto taken = applier::HasSchema(following) ? Taken(following, IdentityOf(leading))
                                                   : std::vector<std::string>{};
  if (std::find(taken.begin(), taken.end(), name) != taken.end()) return;
  throw pg::Refused(fmt::format("{} holds no deployment {} that takes from {}",
                                following.description(), name, leading.description()),
                    "Check --source, --target and --name; `pgteal status` shows what is there.");
}

}  // namespace pgteal::pipeline
