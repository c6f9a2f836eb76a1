#include "pipeline/sequence_copy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <unordered_set>
#include <utility>
#include <vector>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

// Each sequence that a transaction touches takes a place in the server's lock table, which holds
// some 6,400 by default. Small enough that both servers have work for most of the time.
constexpr size_t kPerStatement = 1000;
// A statement of more branches takes long to plan.
constexpr size_t kBranchesMax = 500;

// An extension's are somebody else's, as a rule. Whoever owns them may publish its tables as well,
// whose rows then need them.
constexpr const char* kNamesSql = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
   AND (pg_has_role(c.relowner, 'USAGE') OR NOT EXISTS (
         SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.deptype = 'e'))
 ORDER BY 1)";

using Values = std::map<std::string, SequenceValue>;

// "'a', 'b'"
std::string NameList(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + pg::QuoteLiteral(name);
  return list;
}

std::vector<std::vector<std::string>> Parts(const std::vector<std::string>& names) {
  std::vector<std::vector<std::string>> parts;
  for (size_t first = 0; first < names.size(); first += kPerStatement) {
    const auto begin = names.begin() + static_cast<std::ptrdiff_t>(first);
    const auto size = std::min(kPerStatement, names.size() - first);
    parts.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
  }
  return parts;
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
  const auto rows =
      side.Exec("SELECT s.name, pg_sequence_last_value(s.name::regclass) FROM unnest(ARRAY[" +
                NameList(names) + "]) AS s(name)");
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.IsNull(i, 1)) {
      others.push_back(rows.String(i, 0));
    } else {
      (*values)[rows.String(i, 0)] = {.last_value = rows.Int(i, 1), .is_called = true};
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

Values ReadValues(pg::Connection& side, const std::vector<std::string>& names) {
  Values values;
  ReadRows(side, ReadCalled(side, names, &values), &values);
  return values;
}

void SetValues(pg::Connection& green, const Values& values) {
  std::vector<std::string> names;
  std::string last_values;
  std::string called;
  for (const auto& [name, value] : values) {
    const char* comma = names.empty() ? "" : ",";
    names.push_back(name);
    last_values += fmt::format("{}{}", comma, value.last_value);
    called += fmt::format("{}{}", comma, value.is_called);
  }
  green.Exec(
      "SELECT count(setval(s.name::regclass, s.value, s.called)) FROM ROWS FROM (unnest(ARRAY[" +
      NameList(names) + "]), unnest('{" + last_values + "}'::bigint[]), unnest('{" + called +
      "}'::boolean[])) AS s(name, value, called)");
}

// Without what is missing on green, which is named.
std::vector<std::string> InBoth(const std::vector<std::string>& on_blue,
                                const std::vector<std::string>& on_green,
                                const std::string& green) {
  const std::unordered_set<std::string> known(on_green.begin(), on_green.end());
  std::vector<std::string> names;
  for (const auto& name : on_blue) {
    if (known.contains(name)) {
      names.push_back(name);
    } else {
      spdlog::warn("sequence {} is missing on {}", name, green);
    }
  }
  return names;
}

// On another thread, which has the session to itself until the future is asked.
template <typename Work>
auto Meanwhile(Work work) {
  return std::async(std::launch::async, std::move(work));
}

}  // namespace

std::map<std::string, SequenceValue> ReadSequences(pg::Connection& side) {
  Values values;
  for (const auto& part : Parts(ReadNames(side))) values.merge(ReadValues(side, part));
  return values;
}

// Blue is read while green is still busy with the part before: behind a fence every millisecond is
// an outage.
size_t CopySequences(pg::Connection& blue, pg::Connection& green, const applier::SideNames& sides) {
  auto on_green = Meanwhile([&green] { return ReadNames(green); });
  const auto on_blue = ReadNames(blue);
  const auto names = InBoth(on_blue, on_green.get(), sides.green);
  std::future<void> setting;
  for (const auto& part : Parts(names)) {
    auto values = ReadValues(blue, part);
    if (setting.valid()) setting.get();
    setting = Meanwhile([&green, values = std::move(values)] { SetValues(green, values); });
  }
  if (setting.valid()) setting.get();
  return names.size();
}

}  // namespace pgteal::pipeline
