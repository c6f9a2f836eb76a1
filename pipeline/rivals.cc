#include "pipeline/rivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
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

using Tables = std::set<std::pair<std::string, std::string>>;

// What a publication sends, and the roots that it names: their partitions may be yet to come.
constexpr const char* kPublishedSql = R"(
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid IN (
  SELECT format('%I.%I', schemaname, tablename)::regclass FROM pg_publication_tables
   WHERE pubname = $1
  UNION SELECT r.prrelid FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
   WHERE p.pubname = $1
  UNION SELECT o.oid FROM pg_class AS o, pg_publication AS p
   WHERE p.pubname = $1 AND p.puballtables AND o.relkind = 'p'))";

// Every table, with each member of the partition tree below it.
constexpr const char* kTreesSql = R"(
SELECT n.nspname, c.relname, mn.nspname, mc.relname
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS m(relid)
  JOIN pg_class AS mc ON mc.oid = m.relid JOIN pg_namespace AS mn ON mn.oid = mc.relnamespace
 WHERE c.relkind IN ('r', 'p'))";

// With their whole partition trees, the tables that `carries` says yes to. A publication names the
// root or the partitions, and only both together can be compared with what another one names.
template <typename Carries>
Tables WithPartitions(pg::Connection& blue, Carries carries) {
  const auto rows = blue.Exec(kTreesSql);
  Tables tables;
  for (int i = 0; i < rows.rows(); ++i) {
    if (!carries(rows.String(i, 0), rows.String(i, 1))) continue;
    tables.emplace(rows.String(i, 2), rows.String(i, 3));
  }
  return tables;
}

Tables Published(pg::Connection& blue, const std::string& publication) {
  const auto rows = blue.Exec(kPublishedSql, {publication});
  Tables named;
  for (int i = 0; i < rows.rows(); ++i) named.emplace(rows.String(i, 0), rows.String(i, 1));
  return WithPartitions(blue, [&named](const auto& schema, const auto& name) {
    return named.contains({schema, name});
  });
}

// What a deployment would carry, by its publication, or by what that is going to be.
Tables Carried(pg::Connection& blue, const std::string& name, const BootstrapOptions& options) {
  if (pg::FindPublication(blue, name)) return Published(blue, name);
  const TableFilter filter(options.include_tables, options.exclude_tables);
  return WithPartitions(blue, [&filter](const auto& schema, const auto& table) {
    return filter.Matches(schema, table);
  });
}

// A table that both would carry; empty for none.
std::string CommonTable(pg::Connection& blue, const std::string& other, const Tables& ours) {
  for (const auto& table : Published(blue, other)) {
    if (ours.contains(table)) return pg::QuoteQualified(table.first, table.second);
  }
  return "";
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

void RequireNoSubscription(pg::Connection& green, const Tables& ours) {
  const auto rows = green.Exec(kSubscribedSql);
  for (int i = 0; i < rows.rows(); ++i) {
    const std::pair table(rows.String(i, 1), rows.String(i, 2));
    if (!ours.contains(table)) continue;
    const std::string subscription = pg::QuoteIdentifier(rows.String(i, 0));
    throw pg::Refused(
        fmt::format("subscription {} of green feeds table {} already: changes would come twice",
                    subscription, pg::QuoteQualified(table.first, table.second)),
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
  const Tables ours = Carried(blue, name, options);
  RequireNoSubscription(green, ours);
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
