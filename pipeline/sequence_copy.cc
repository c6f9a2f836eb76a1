#include "pipeline/sequence_copy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// Each sequence that a transaction touches takes a place in the server's lock table, which holds
// some 6,400 by default; and a statement of a thousand branches is still planned in milliseconds.
constexpr size_t kPerStatement = 500;

constexpr const char* kNamesSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
 ORDER BY 1)";

using Changed = std::vector<std::pair<std::string, SequenceValue>>;

void SetSequences(pg::Connection& green, const Changed& changed, size_t first, size_t end) {
  std::string sql = "SELECT count(setval(s.name::regclass, s.value, s.called)) FROM (VALUES ";
  for (size_t i = first; i < end; ++i) {
    sql += fmt::format("{}({}, {}::bigint, {})", i == first ? "" : ", ",
                       pg::QuoteLiteral(changed[i].first), changed[i].second.last_value,
                       changed[i].second.is_called);
  }
  green.Exec(sql + ") AS s(name, value, called)");
}

}  // namespace

std::map<std::string, SequenceValue> ReadSequences(pg::Connection& side) {
  std::map<std::string, SequenceValue> values;
  const auto names = side.Exec(kNamesSql);
  const auto count = static_cast<size_t>(names.rows());
  for (size_t first = 0; first < count; first += kPerStatement) {
    std::string sql;
    const size_t end = std::min(count, first + kPerStatement);
    for (size_t i = first; i < end; ++i) {
      const auto name = names.Text(static_cast<int>(i), 0);
      sql += fmt::format("{}SELECT {}, last_value, is_called FROM {}",
                         i == first ? "" : " UNION ALL ", pg::QuoteLiteral(name), name);
    }
    const auto rows = side.Exec(sql);
    for (int i = 0; i < rows.rows(); ++i) {
      values[rows.String(i, 0)] = {.last_value = rows.Int(i, 1), .is_called = rows.Bool(i, 2)};
    }
  }
  return values;
}

size_t CopySequences(pg::Connection& blue, pg::Connection& green) {
  const auto sources = ReadSequences(blue);
  const auto targets = ReadSequences(green);
  Changed changed;
  size_t common = 0;
  for (const auto& [name, value] : sources) {
    const auto target = targets.find(name);
    if (target == targets.end()) {
      spdlog::warn("sequence {} is missing on green", name);
      continue;
    }
    ++common;
    if (target->second != value) changed.emplace_back(name, value);
  }
  for (size_t first = 0; first < changed.size(); first += kPerStatement) {
    SetSequences(green, changed, first, std::min(changed.size(), first + kPerStatement));
  }
  return common;
}

}  // namespace pgteal::pipeline
