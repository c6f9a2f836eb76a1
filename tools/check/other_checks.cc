#include "tools/check/other_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string>

#include "pg/error.h"
#include "pipeline/cleanup.h"

namespace pgteal::tools {
namespace {

// The slots of pgteal that outlive a session: $1 is our deployment, $2 all names on record. A name
// alone proves nothing, so a deployment has a publication of it, too.
constexpr const char* kSlotsSql = R"(
WITH slots AS (
  SELECT * FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT temporary
     AND database = current_database()),
deployments AS (
  SELECT p.pubname AS name, s.slot_name, s.active FROM pg_publication AS p JOIN slots AS s
      ON s.slot_name::text IN (p.pubname::text, p.pubname || '_capture') AND s.plugin = 'pgoutput'
   WHERE p.pubname::text <> $1 AND p.pubname::text = ANY (string_to_array($2, ',')))
)";

constexpr const char* kForeignSql = R"(
SELECT format('subscription %I', subname), format('ALTER SUBSCRIPTION %I DISABLE;', subname)
  FROM pg_subscription
 WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND subenabled
UNION ALL
SELECT format('slot %I (%s%s%s)', slot_name, plugin, CASE WHEN active THEN ', in use' END,
              CASE WHEN has_publication THEN ', perhaps of another pgteal' END),
       CASE WHEN NOT active AND NOT has_publication
            THEN format('SELECT pg_drop_replication_slot(%L);', slot_name) END
  FROM slots CROSS JOIN LATERAL (
         SELECT plugin = 'pgoutput' AND EXISTS (SELECT FROM pg_publication WHERE slot_name::text IN
                  (pubname::text, pubname || '_capture')) AS has_publication) AS p
 WHERE slot_name::text NOT IN ($1, $1 || '_capture')
   AND slot_name NOT IN (SELECT slot_name FROM deployments)
UNION ALL
SELECT format('schema %I of another replication tool', nspname), NULL FROM pg_namespace
 WHERE nspname IN ('pglogical', 'spock', 'bucardo', 'pgactive', 'pgstream', '_peerdb_internal')
 ORDER BY 1)";

constexpr const char* kDeploymentsSql = R"(
SELECT name, string_agg(slot_name || CASE WHEN active THEN ' (in use)' ELSE '' END, ', '
                        ORDER BY slot_name),
       bool_or(slot_name = name)
  FROM deployments GROUP BY name ORDER BY name)";

// Where schema pgteal is not for our role, its deployments are to be found as slots of others.
void AddNames(pg::Connection* side, std::set<std::string>* names) {
  if (side == nullptr) return;
  try {
    names->merge(pipeline::DeploymentsOnRecord(*side));
  } catch (const pg::ServerError&) {
    if (side->is_broken()) throw;
  }
}

pg::Result AskBlue(const CheckContext& context, const char* sql) {
  std::set<std::string> names;
  AddNames(context.blue, &names);
  AddNames(context.green, &names);
  return context.blue->Exec(std::string(kSlotsSql) + sql,
                            {context.options.name, fmt::format("{}", fmt::join(names, ","))});
}

}  // namespace

CheckAnswer CheckOtherReplication(const CheckContext& context) {
  const auto rows = AskBlue(context, kForeignSql);
  CheckAnswer answer;
  for (int i = 0; i < rows.rows(); ++i) {
    answer.findings.push_back({.finding = {.object = rows.String(i, 0), .fix = rows.String(i, 1)}});
  }
  return answer;
}

CheckAnswer CheckOtherDeployments(const CheckContext& context) {
  const auto rows = AskBlue(context, kDeploymentsSql);
  CheckAnswer answer;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string name = rows.String(i, 0);
    const std::string slots = rows.String(i, 1);
    // A capture alone leaves no tables behind; nor does a deployment that was switched over.
    const bool is_stream = rows.Bool(i, 2);
    const std::string object =
        is_stream ? fmt::format("deployment {} with slot {}; `pgteal cleanup --name {}` ends it",
                                name, slots, name)
                  : fmt::format("slot {} of the captures of deployment {}", slots, name);
    answer.findings.push_back({.finding = {.object = object, .fix = ""},
                               .level = is_stream ? Level::kNone : Level::kWarn});
  }
  return answer;
}

}  // namespace pgteal::tools
