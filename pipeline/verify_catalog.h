#ifndef PGTEAL_PIPELINE_VERIFY_CATALOG_H_
#define PGTEAL_PIPELINE_VERIFY_CATALOG_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pg/connection.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {

// What holds rows of a table on one side: the table itself, or a leaf of a partitioned one.
struct VerifyUnit {
  std::string qualified;  // quoted
  bool is_plain = true;   // false: a partitioned table read as a whole
  uint64_t pages = 0;
  uint64_t bytes = 0;  // TOAST included
  // Oid and filenode of every table in it, as the snapshot has them: others mean that it has been
  // rewritten or emptied since, and shows nothing of the snapshot.
  std::vector<std::pair<uint32_t, uint32_t>> filenodes;
};

// A column as one side's catalog has it.
struct CatalogColumn {
  std::string name;
  uint32_t base_type = 0;  // the type below all domains
  std::string base_name;   // "pg_catalog.int4"
  char kind = 'b';         // pg_type.typtype of it
  char category = 'U';     // pg_type.typcategory of it
  std::string type;        // with its modifier, as an operator knows it: "numeric(10,2)"
  bool is_generated = false;
  std::string expression;  // its default, or what generates it
  bool is_not_null = false;
};

struct CatalogTable {
  std::vector<CatalogColumn> columns;  // in their order
  std::vector<std::string> key;        // of the best unique index over columns that are not null
  std::vector<VerifyUnit> units;
  bool is_partitioned = false;
};

// All user tables of one side, as the session's snapshot shows them.
std::map<TableKey, CatalogTable> ReadCatalog(pg::Connection& connection);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_VERIFY_CATALOG_H_
