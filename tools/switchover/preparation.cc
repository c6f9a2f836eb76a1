#include "tools/switchover/preparation.h"

#include <spdlog/spdlog.h>

#include <string>

#include "pg/error.h"

namespace pgteal::tools {
namespace {

// Views are made after what they read, so their numbers are in order of dependency.
constexpr const char* kMatviewsSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid)";

// By pg_stats, which shows the tables that our role may read; pg_statistic is the superuser's. A
// table that it does not show is analyzed once more.
constexpr const char* kUnanalyzedSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
 WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
   AND s.last_analyze IS NULL AND s.last_autoanalyze IS NULL
   AND pg_relation_size(c.oid) > 0
   AND NOT EXISTS (SELECT FROM pg_stats AS t WHERE t.schemaname = n.nspname
                    AND t.tablename = c.relname)
 ORDER BY pg_relation_size(c.oid) DESC)";

void ForEach(pg::Connection& side, const char* names_sql, const std::string& verb) {
  const auto names = side.Exec(names_sql);
  for (int i = 0; i < names.rows(); ++i) {
    try {
      side.Exec(verb + names.String(i, 0));
    } catch (const pg::ServerError& error) {
      spdlog::warn("{}{}: {}", verb, names.Text(i, 0), error.what());
    }
  }
}

}  // namespace

void RefreshMaterializedViews(pg::Connection& side) {
  ForEach(side, kMatviewsSql, "REFRESH MATERIALIZED VIEW ");
}

void AnalyzeTables(pg::Connection& side) { ForEach(side, kUnanalyzedSql, "ANALYZE "); }

}  // namespace pgteal::tools
