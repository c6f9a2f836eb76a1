#include "pipeline/sequence_copy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// Each sequence that a transaction touches takes a place in the server's lock table, which holds
// some 6,400 by default.
constexpr size_t kPerStatement = 2000;
// A statement of more branches takes long to plan.
constexpr size_t kBranchesMax = 500;

constexpr const char* kNamesSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
 ORDER BY 1)";

using Values = std::map<std::string, SequenceValue>;

// "'a', 'b'" of some of the names.
std::string NameList(const std::vector<std::string>& names, size_t first, size_t end) {
  std::string list;
  for (size_t i = first; i < end; ++i)
    list += (i == first ? "" : ", ") + pg::QuoteLiteral(names[i]);
  return list;
}

std::vector<std::string> ReadNames(pg::Connection& side) {
  const auto rows = side.Exec(kNamesSql);
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.String(i, 0));
  return names;
}

// One function call each, a tenth of the cost of a query on each. It answers NULL for a sequence
// that has not been called: those are returned.
std::vector<std::string> ReadCalled(pg::Connection& side, const std::vector<std::string>& names,
                                    Values* values) {
  std::vector<std::string> others;
  for (size_t first = 0; first < names.size(); first += kPerStatement) {
    const size_t end = std::min(names.size(), first + kPerStatement);
    const auto rows =
        side.Exec("SELECT s.name, pg_sequence_last_value(s.name::regclass) FROM unnest(ARRAY[" +
                  NameList(names, first, end) + "]) AS s(name)");
    for (int i = 0; i < rows.rows(); ++i) {
      if (rows.IsNull(i, 1)) {
        others.push_back(rows.String(i, 0));
      } else {
        (*values)[rows.String(i, 0)] = {.last_value = rows.Int(i, 1), .is_called = true};
      }
    }
  }
  return others;
}

void ReadRows(pg::Connection& side, const std::vector<std::string>& names, Values* values) {
  for (size_t first = 0; first < names.size(); first += kBranchesMax) {
    std::string sql;
    const size_t end = std::min(names.size(), first + kBranchesMax);
    for (size_t i = first; i < end; ++i) {
      sql += fmt::format("{}SELECT {}, last_value, is_called FROM {}",
                         i == first ? "" : " UNION ALL ", pg::QuoteLiteral(names[i]), names[i]);
    }
    const auto rows = side.Exec(sql);
    for (int i = 0; i < rows.rows(); ++i) {
      (*values)[rows.String(i, 0)] = {.last_value = rows.Int(i, 1), .is_called = rows.Bool(i, 2)};
    }
  }
}

void SetSequences(pg::Connection& green, const std::vector<std::string>& names, size_t first,
                  size_t end, const Values& values) {
  std::string last_values;
  std::string called;
  for (size_t i = first; i < end; ++i) {
    const SequenceValue& value = values.at(names[i]);
    last_values += fmt::format("{}{}", i == first ? "" : ",", value.last_value);
    called += fmt::format("{}{}", i == first ? "" : ",", value.is_called);
  }
  green.Exec(
      "SELECT count(setval(s.name::regclass, s.value, s.called)) FROM ROWS FROM (unnest(ARRAY[" +
      NameList(names, first, end) + "]), unnest('{" + last_values + "}'::bigint[]), unnest('{" +
      called + "}'::boolean[])) AS s(name, value, called)");
}

}  // namespace

std::map<std::string, SequenceValue> ReadSequences(pg::Connection& side) {
  Values values;
  ReadRows(side, ReadCalled(side, ReadNames(side), &values), &values);
  return values;
}

size_t CopySequences(pg::Connection& blue, pg::Connection& green) {
  const auto values = ReadSequences(blue);
  const auto targets = ReadNames(green);
  const std::set<std::string> on_green(targets.begin(), targets.end());
  std::vector<std::string> common;
  for (const auto& [name, value] : values) {
    if (on_green.contains(name)) {
      common.push_back(name);
    } else {
      spdlog::warn("sequence {} is missing on green", name);
    }
  }
  for (size_t first = 0; first < common.size(); first += kPerStatement) {
    SetSequences(green, common, first, std::min(common.size(), first + kPerStatement), values);
  }
  return common.size();
}

}  // namespace pgteal::pipeline
