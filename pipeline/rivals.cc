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

// The tables that a deployment would carry, by its publication, or by what that is going to be.
class Carried {
 public:
  Carried(pg::Connection& blue, const std::string& name, const BootstrapOptions& options)
      : is_published_(pg::FindPublication(blue, name).has_value()),
        filter_(options.include_tables, options.exclude_tables) {
    if (is_published_) published_ = pg::PublishedTables(blue, name);
  }

  // Of a table that blue has.
  bool Has(const std::string& schema, const std::string& name) const {
    if (!is_published_) return filter_.Matches(schema, name);
    return std::any_of(published_.begin(), published_.end(), [&](const pg::TableName& one) {
      return one.schema == schema && one.name == name;
    });
  }

 private:
  const bool is_published_;
  const TableFilter filter_;
  std::vector<pg::TableName> published_;
};

// A table that both would carry; empty for none.
std::string CommonTable(pg::Connection& blue, const std::string& other, const Carried& ours) {
  for (const auto& table : pg::PublishedTables(blue, other)) {
    if (ours.Has(table.schema, table.name)) return pg::QuoteQualified(table.schema, table.name);
  }
  return "";
}

bool HasTable(pg::Connection& side, const std::string& name) {
  return !side.Exec("SELECT to_regclass($1)", {name}).IsNull(0, 0);
}

// PostgreSQL's own subscription on green. What it feeds is all of a partition tree: changes may be
// sent as those of the root, and of a partition.
constexpr const char* kSubscribedSql = R"(
SELECT DISTINCT s.subname, n.nspname, c.relname
  FROM pg_subscription AS s JOIN pg_subscription_rel AS r ON r.srsubid = s.oid
 CROSS JOIN LATERAL (SELECT r.srrelid UNION SELECT relid FROM pg_partition_tree(r.srrelid)
                     UNION SELECT relid FROM pg_partition_ancestors(r.srrelid)) AS t(relid)
  JOIN pg_class AS c ON c.oid = t.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE s.subenabled
   AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1, 2, 3)";

void RequireNoSubscription(pg::Connection& blue, pg::Connection& green, const Carried& ours) {
  const auto rows = green.Exec(kSubscribedSql);
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string schema = rows.String(i, 1);
    const std::string table = pg::QuoteQualified(schema, rows.String(i, 2));
    if (!ours.Has(schema, rows.String(i, 2)) || !HasTable(blue, table)) continue;
    const std::string subscription = pg::QuoteIdentifier(rows.String(i, 0));
    throw pg::Refused(
        fmt::format("subscription {} of green feeds table {} already: changes would come twice",
                    subscription, table),
        fmt::format("Run ALTER SUBSCRIPTION {} DISABLE; (or drop it) on green, or leave its tables "
                    "out with --exclude-table.",
                    subscription));
  }
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
  const Carried ours(blue, name, options);
  RequireNoSubscription(blue, green, ours);
  for (const auto& other : Taken(green, IdentityOf(blue))) {
    if (other == name) continue;
    const std::string table = CommonTable(blue, other, ours);
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
