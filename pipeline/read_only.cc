#include "pipeline/read_only.h"

#include <spdlog/spdlog.h>

#include "applier/schema.h"
#include "pg/error.h"
#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kNotAllowed = "42501";

std::string Alter(pg::Connection& green) {
  return "ALTER DATABASE " +
         pg::QuoteIdentifier(green.Exec("SELECT current_database()").Text(0, 0));
}

}  // namespace

void SetReadOnly(pg::Connection& green, const std::string& deployment) {
  const auto former = green.Exec(
      "SELECT substr(c.setting, 31) FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig)"
      " AS c(setting) WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database"
      " WHERE datname = current_database())"
      " AND starts_with(c.setting, 'default_transaction_read_only=')");
  try {
    green.Exec(Alter(green) + " SET default_transaction_read_only = on");
  } catch (const pg::ServerError& error) {
    if (error.sqlstate() != kNotAllowed) throw;
    spdlog::warn("our role may not make green's database read-only: keep applications off it");
    return;
  }
  applier::RecordEvent(green, deployment, "read_only",
                       former.is_empty() ? "unset" : former.String(0, 0));
}

void UnsetReadOnly(pg::Connection& green, const std::string& deployment) {
  // The first event tells what it was before we came.
  const auto former = green.Exec(
      "SELECT detail FROM pgteal.event WHERE deployment = $1 AND kind = 'read_only'"
      " ORDER BY id LIMIT 1",
      {deployment});
  if (former.is_empty()) return;
  const bool was_set = former.Text(0, 0) != "unset";
  green.Exec(Alter(green) + (was_set ? " SET default_transaction_read_only = " +
                                           pg::QuoteLiteral(former.Text(0, 0))
                                     : " RESET default_transaction_read_only"));
}

void MakeWritable(pg::Connection& green, const std::string& deployment) {
  UnsetReadOnly(green, deployment);
  const auto left = green.Exec(
      "SELECT FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c(setting)"
      " WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database"
      " WHERE datname = current_database())"
      " AND starts_with(c.setting, 'default_transaction_read_only=')"
      " AND split_part(c.setting, '=', 2)::boolean");
  if (!left.is_empty()) green.Exec(Alter(green) + " RESET default_transaction_read_only");
}

}  // namespace pgteal::pipeline
