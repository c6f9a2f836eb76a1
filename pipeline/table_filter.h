#ifndef PGTEAL_PIPELINE_TABLE_FILTER_H_
#define PGTEAL_PIPELINE_TABLE_FILTER_H_

#include <string>
#include <string_view>
#include <vector>

#include "pg/catalog.h"

namespace pgteal::pipeline {

// --include-table and --exclude-table: patterns "table" or "schema.table" where * stands for any
// characters and ? for one. Without a schema, every schema matches. Exclusion wins.
class TableFilter {
 public:
  TableFilter(std::vector<std::string> include, std::vector<std::string> exclude)
      : include_(std::move(include)), exclude_(std::move(exclude)) {}

  bool Matches(std::string_view schema, std::string_view table) const;

 private:
  const std::vector<std::string> include_;
  const std::vector<std::string> exclude_;
};

// A pattern that names nothing is a typing error, and what it was meant for would be missed only
// when it is too late. Throws ConfigError that names `option`, the pattern and, for `where`, what
// `tables` are: "table of blue".
void RequireMatches(const std::string& option, const std::vector<std::string>& patterns,
                    const std::vector<pg::TableName>& tables, const std::string& where);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TABLE_FILTER_H_
