#ifndef PGTEAL_PIPELINE_TABLE_FILTER_H_
#define PGTEAL_PIPELINE_TABLE_FILTER_H_

#include <string>
#include <string_view>
#include <vector>

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

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_TABLE_FILTER_H_
