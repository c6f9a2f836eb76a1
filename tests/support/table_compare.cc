#include "tests/support/table_compare.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <vector>

#include "tests/support/sql.h"

namespace pgteal::tests {
namespace {

constexpr size_t kShownRows = 5;
constexpr size_t kShownBytes = 300;

struct Table {
  std::string name;  // quoted, with its schema
  std::string row;   // an expression: the row's text
};

void Pin(Sql& sql) {
  sql.Exec(
      "SET search_path = ''; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';"
      "SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex';"
      "SET lc_monetary = 'C'; SET statement_timeout = 0; SET lock_timeout = 0;"
      "SET default_transaction_isolation = 'read committed'; SET row_security = on");
}

std::vector<Table> UserTables(Sql& blue) {
  std::vector<Table> tables;
  for (const Row& row : blue.Query(R"(
        SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
               'ROW(' || coalesce((SELECT string_agg('t.' || quote_ident(a.attname), ', '
                                                     ORDER BY a.attnum)
                                     FROM pg_catalog.pg_attribute a
                                    WHERE a.attrelid = c.oid AND a.attnum > 0
                                          AND NOT a.attisdropped), '') || ')::text'
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
               AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgteal')
               AND n.nspname !~ '^pg_'
         ORDER BY 1)")) {
    tables.push_back({row[0], row[1]});
  }
  return tables;
}

// Row count and the sum of the rows' hashes: equal for equal multisets, and made by the server, so
// that large tables need not be fetched. The hash is the same in every version.
Row Fingerprint(Sql& sql, const Table& table) {
  return sql.Query("SELECT count(*), sum(hashtextextended(" + table.row +
                   " COLLATE \"C\", 0)::numeric) FROM " + table.name + " t")[0];
}

std::vector<std::string> SortedRows(Sql& sql, const Table& table) {
  std::vector<std::string> rows;
  for (Row& row : sql.Query("SELECT " + table.row + " FROM " + table.name + " t")) {
    rows.push_back(std::move(row[0]));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

void DescribeOnlyIn(const char* side, const std::vector<std::string>& these,
                    const std::vector<std::string>& those, std::ostream& out) {
  std::vector<std::string> only;
  std::set_difference(these.begin(), these.end(), those.begin(), those.end(),
                      std::back_inserter(only));
  out << "  only in " << side << ": " << only.size() << " rows\n";
  for (size_t i = 0; i < std::min(only.size(), kShownRows); ++i) {
    out << "    " << only[i].substr(0, kShownBytes) << "\n";
  }
}

void CompareTable(Sql& blue, Sql& green, const Table& table, std::ostream& out) {
  const Row expected = Fingerprint(blue, table);
  Row actual;
  try {
    actual = Fingerprint(green, table);
  } catch (const SqlError& error) {
    out << table.name << ": " << error.what() << "\n";
    return;
  }
  if (expected == actual) return;
  out << table.name << ": blue has " << expected[0] << " rows, green " << actual[0] << "\n";
  const std::vector<std::string> blue_rows = SortedRows(blue, table);
  const std::vector<std::string> green_rows = SortedRows(green, table);
  DescribeOnlyIn("blue", blue_rows, green_rows, out);
  DescribeOnlyIn("green", green_rows, blue_rows, out);
}

}  // namespace

testing::AssertionResult CompareTables(const std::string& blue_conninfo,
                                       const std::string& green_conninfo) {
  Sql blue(blue_conninfo);
  Sql green(green_conninfo);
  Pin(blue);
  Pin(green);
  std::ostringstream differences;
  for (const Table& table : UserTables(blue)) CompareTable(blue, green, table, differences);
  if (differences.str().empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "blue and green differ\n" << differences.str();
}

}  // namespace pgteal::tests
