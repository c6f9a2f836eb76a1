#include "pipeline/table_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

bool Fits(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] != '*' && pattern[p] == text[t]))) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool FitsAny(const std::vector<std::string>& patterns, std::string_view schema,
             std::string_view table) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    const auto dot = pattern.find('.');
    if (dot == std::string::npos) return Fits(pattern, table);
    return Fits(std::string_view(pattern).substr(0, dot), schema) &&
           Fits(std::string_view(pattern).substr(dot + 1), table);
  });
}

}  // namespace

bool TableFilter::Matches(std::string_view schema, std::string_view table) const {
  if (FitsAny(exclude_, schema, table)) return false;
  return include_.empty() || FitsAny(include_, schema, table);
}

void RequireMatches(const std::string& option, const std::vector<std::string>& patterns,
                    const std::vector<pg::TableName>& tables, const std::string& where) {
  for (const auto& pattern : patterns) {
    const bool is_used = std::any_of(tables.begin(), tables.end(), [&pattern](const auto& table) {
      return FitsAny({pattern}, table.schema, table.name);
    });
    if (is_used) continue;
    throw pg::ConfigError(
        fmt::format("{} {} matches no {}", option, pattern, where),
        "A pattern is [schema.]table as the catalog writes it, with * and ?; case matters.");
  }
}

}  // namespace pgteal::pipeline
