#include "pipeline/verify_rows.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "pg/error.h"
#include "pipeline/verify_buckets.h"
#include "pipeline/verify_sql.h"

namespace pgteal::pipeline {
namespace {

// "{1,-2}"
std::vector<uint64_t> ParseHashes(std::string_view text) {
  std::vector<uint64_t> hashes;
  if (text.size() < 2) throw pg::ProtocolError("the hashes of a row's columns are missing");
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    hashes.push_back(ParseModulo(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return hashes;
}

bool ComesBefore(const VerifyRow& a, const VerifyRow& b) {
  return std::tie(a.key, a.hash) < std::tie(b.key, b.hash);
}

// Both sorted; leaves in each what the other has not, doubled rows counting.
void CancelEqual(std::vector<VerifyRow>* blue, std::vector<VerifyRow>* green) {
  std::vector<VerifyRow> only_blue;
  std::vector<VerifyRow> only_green;
  auto b = blue->begin();
  auto g = green->begin();
  while (b != blue->end() || g != green->end()) {
    if (g == green->end() || (b != blue->end() && ComesBefore(*b, *g))) {
      only_blue.push_back(std::move(*b++));
    } else if (b == blue->end() || ComesBefore(*g, *b)) {
      only_green.push_back(std::move(*g++));
    } else {
      ++b;
      ++g;
    }
  }
  *blue = std::move(only_blue);
  *green = std::move(only_green);
}

std::vector<std::string> DifferentColumns(const VerifyTable& table, const VerifyRow& blue,
                                          const VerifyRow& green) {
  std::vector<std::string> names;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (blue.column_hashes[i] != green.column_hashes[i]) names.push_back(table.columns[i].name);
  }
  return names;
}

RowDifference Missing(VerifyRow& row) {
  return {.kind = DifferenceKind::kMissing,
          .key = std::move(row.key),
          .columns = {},
          .blue = std::move(row.place),
          .green = std::nullopt};
}

RowDifference Extra(VerifyRow& row) {
  return {.kind = DifferenceKind::kExtra,
          .key = std::move(row.key),
          .columns = {},
          .blue = std::nullopt,
          .green = std::move(row.place)};
}

}  // namespace

void ReadRows(const pg::Result& result, const VerifyTable& table, std::vector<VerifyRow>* rows) {
  for (int i = 0; i < result.rows(); ++i) {
    VerifyRow row{.key = {},
                  .hash = ParseModulo(result.Text(i, 0)),
                  .column_hashes = ParseHashes(result.Text(i, 5)),
                  .place = {.table_oid = result.String(i, 1),
                            .filenode = result.String(i, 2),
                            .ctid = result.String(i, 3),
                            .xmin = result.String(i, 4)}};
    if (row.column_hashes.size() != table.columns.size()) {
      throw pg::ProtocolError("a row has not as many hashes as columns");
    }
    for (size_t k = 0; k < table.key.size(); ++k) {
      row.key.push_back(result.Optional(i, VerifySql::kFirstKeyColumn + static_cast<int>(k)));
    }
    rows->push_back(std::move(row));
  }
}

std::vector<RowDifference> CompareRows(const VerifyTable& table, std::vector<VerifyRow> blue,
                                       std::vector<VerifyRow> green) {
  std::sort(blue.begin(), blue.end(), ComesBefore);
  std::sort(green.begin(), green.end(), ComesBefore);
  CancelEqual(&blue, &green);
  std::vector<RowDifference> differences;
  auto b = blue.begin();
  auto g = green.begin();
  const bool is_keyed = !table.key.empty();
  while (b != blue.end() || g != green.end()) {
    if (g == green.end() || (b != blue.end() && (!is_keyed || b->key < g->key))) {
      differences.push_back(Missing(*b++));
    } else if (b == blue.end() || g->key < b->key) {
      differences.push_back(Extra(*g++));
    } else {
      differences.push_back({.kind = DifferenceKind::kDifferent,
                             .key = b->key,
                             .columns = DifferentColumns(table, *b, *g),
                             .blue = b->place,
                             .green = g->place});
      ++b;
      ++g;
    }
  }
  return differences;
}

}  // namespace pgteal::pipeline
