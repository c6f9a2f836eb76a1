#include "pipeline/sequence_copy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr size_t kPerStatement = 200;

constexpr const char* kSequencesSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
 ORDER BY 1)";

}  // namespace

size_t CopySequences(pg::Connection& blue, pg::Connection& green) {
  std::set<std::string> on_green;
  const auto targets = green.Exec(kSequencesSql);
  for (int i = 0; i < targets.rows(); ++i) on_green.insert(targets.String(i, 0));
  std::vector<std::string> names;
  const auto sources = blue.Exec(kSequencesSql);
  for (int i = 0; i < sources.rows(); ++i) {
    if (on_green.contains(sources.String(i, 0))) {
      names.push_back(sources.String(i, 0));
    } else {
      spdlog::warn("sequence {} is missing on green", sources.Text(i, 0));
    }
  }
  for (size_t first = 0; first < names.size(); first += kPerStatement) {
    std::string read;
    const size_t end = std::min(names.size(), first + kPerStatement);
    for (size_t i = first; i < end; ++i) {
      read += fmt::format("{}SELECT {}::text, last_value, is_called FROM {}",
                          i == first ? "" : " UNION ALL ", pg::QuoteLiteral(names[i]), names[i]);
    }
    const auto values = blue.Exec(read);
    std::string write;
    for (int i = 0; i < values.rows(); ++i) {
      write += fmt::format("{}setval({}, {}, {})", i == 0 ? "SELECT " : ", ",
                           pg::QuoteLiteral(values.Text(i, 0)), values.Text(i, 1),
                           values.Bool(i, 2) ? "true" : "false");
    }
    green.Exec(write);
  }
  return names.size();
}

}  // namespace pgteal::pipeline
