#include "pipeline/verify_sql.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgteal::pipeline {
namespace {

// A function takes a hundred arguments at most.
constexpr size_t kConcatArgumentsMax = 90;
// Bits of an int4 that need no thought about signs.
constexpr size_t kNullsPerMask = 30;
constexpr const char* kSeparator = "E'\\x01'";

using Parts = std::vector<std::string>;

// Prints alike what is equal.
std::string ValueOf(const VerifyColumn& column, Side side) {
  return column.Sql(side) + (column.text == ColumnText::kTrimmed ? "::text" : "");
}

// Where encodings differ, so do lengths.
Parts TextParts(const VerifyColumn& column, Side side, TextHash hash) {
  const std::string value = ValueOf(column, side);
  if (hash == TextHash::kNative) {
    switch (column.text) {
      case ColumnText::kPlain:
        return {value};
      case ColumnText::kMeasured:
      case ColumnText::kTrimmed:
        return {fmt::format("octet_length({})", value), value};
      case ColumnText::kRecord:
        break;
    }
  }
  return {fmt::format("ROW({})", value)};
}

std::string Join(const Parts& parts, size_t begin, size_t end) {
  std::string list;
  for (size_t i = begin; i < end; ++i) list += (i == begin ? "" : ", ") + parts[i];
  return list;
}

// Which of the columns are NULL: concat_ws() passes over them.
Parts NullMasks(const std::vector<VerifyColumn>& columns, Side side, TextHash hash) {
  Parts masks;
  size_t bit = 0;
  for (const auto& column : columns) {
    if (hash == TextHash::kMd5 || column.text == ColumnText::kRecord) continue;
    if (bit % kNullsPerMask == 0) masks.emplace_back();
    masks.back() += fmt::format("{}(({} IS NULL)::int << {})", masks.back().empty() ? "" : " | ",
                                column.Sql(side), bit % kNullsPerMask);
    ++bit;
  }
  return masks;
}

// concat_ws() prints values as their output functions do; a cast to text may not.
std::string Concat(const Parts& parts) {
  if (parts.empty()) return "''";
  std::string text;
  for (size_t at = 0; at < parts.size(); at += kConcatArgumentsMax) {
    const size_t end = std::min(parts.size(), at + kConcatArgumentsMax);
    text += fmt::format("{}concat_ws({}, {})", at == 0 ? "" : " || E'\\x01' || ", kSeparator,
                        Join(parts, at, end));
  }
  return text;
}

std::string HashOf(const std::string& text, TextHash hash) {
  if (hash == TextHash::kNative)
    return fmt::format("hashtextextended(({}) COLLATE \"C\", 0)", text);
  return fmt::format("('x' || left(md5(convert_to({}, 'UTF8')), 16))::bit(64)::int8", text);
}

std::string KeyHashOf(const VerifyColumn& column, Side side, TextHash hash) {
  const std::string name = column.Sql(side);
  switch (column.hash) {
    case KeyHash::kInteger:
      if (hash == TextHash::kNative) return fmt::format("hashint8extended({}::int8, 0)", name);
      break;
    case KeyHash::kText:
      return HashOf(name + "::text", hash);
    case KeyHash::kUuid:
      if (hash == TextHash::kNative) return fmt::format("uuid_hash_extended({}, 0)", name);
      break;
    case KeyHash::kRecord:
      break;
  }
  return HashOf(Concat(TextParts(column, side, hash)), hash);
}

std::string List(const std::vector<uint32_t>& numbers) {
  std::string list;
  for (const uint32_t number : numbers) list += (list.empty() ? "" : ",") + std::to_string(number);
  return list;
}

}  // namespace

VerifySql::VerifySql(const VerifyTable& table, Side side, TextHash hash, uint32_t buckets)
    : table_(table), side_(side), mask_(buckets - 1) {
  Parts parts;
  for (const auto& column : table.columns) {
    const Parts own = TextParts(column, side, hash);
    parts.insert(parts.end(), own.begin(), own.end());
    column_hashes_ += (column_hashes_.empty() ? "" : ", ") + HashOf(Concat(own), hash);
  }
  const Parts nulls = NullMasks(table.columns, side, hash);
  parts.insert(parts.end(), nulls.begin(), nulls.end());
  row_hash_ = HashOf(Concat(parts), hash);
  for (const size_t at : table.key) {
    bucket_hash_ += (bucket_hash_.empty() ? "" : " # ") + KeyHashOf(table.columns[at], side, hash);
  }
  // A NULL where green lacks blue's key.
  bucket_hash_ = bucket_hash_.empty() ? row_hash_ : fmt::format("coalesce({}, 0)", bucket_hash_);
}

std::string VerifySql::From(const VerifyUnit& unit, const std::optional<PageRange>& pages) const {
  std::string sql = fmt::format(" FROM {}{}", unit.is_plain ? "ONLY " : "", unit.qualified);
  sql += table_.row_filter.empty() ? " WHERE true" : " WHERE (" + table_.row_filter + ")";
  if (!pages) return sql;
  sql += fmt::format(" AND ctid >= '({},0)'::tid", pages->begin);
  if (pages->end) sql += fmt::format(" AND ctid < '({},0)'::tid", *pages->end);
  return sql;
}

std::string VerifySql::Total(const VerifyUnit& unit, const std::optional<PageRange>& pages) const {
  return fmt::format("SELECT 0, count(*), coalesce(sum({}), 0){}", row_hash_, From(unit, pages));
}

std::string VerifySql::Buckets(const VerifyUnit& unit,
                               const std::optional<PageRange>& pages) const {
  // OFFSET 0 keeps the hashes from being computed again by the outer query.
  const bool is_keyed = !table_.key.empty();
  return fmt::format(
      "SELECT {} & {}, count(*), sum(h) FROM (SELECT {} AS h{}{} OFFSET 0) AS rows GROUP BY 1",
      is_keyed ? "k" : "h", mask_, row_hash_, is_keyed ? ", " + bucket_hash_ + " AS k" : "",
      From(unit, pages));
}

std::string VerifySql::Rows(const VerifyUnit& unit, const std::optional<PageRange>& pages,
                            const std::vector<uint32_t>& buckets) const {
  std::string keys;
  for (const size_t at : table_.key) keys += ", " + ValueOf(table_.columns[at], side_);
  return fmt::format(
      "SELECT {}, tableoid::oid, pg_relation_filenode(tableoid), ctid, xmin, ARRAY[{}]::int8[]{}{}"
      " AND ({}) & {} = ANY ('{{{}}}')",
      row_hash_, column_hashes_, keys, From(unit, pages), bucket_hash_, mask_, List(buckets));
}

std::string LockUnitSql(const VerifyUnit& unit) {
  std::string oids;
  std::string filenodes;
  for (const auto& [oid, filenode] : unit.filenodes) {
    oids += (oids.empty() ? "" : ",") + std::to_string(oid);
    filenodes += (filenodes.empty() ? "" : ",") + std::to_string(filenode);
  }
  return fmt::format(
      "LOCK TABLE {}{} IN ACCESS SHARE MODE; SELECT coalesce(bool_and(pg_relation_filenode(u.oid)"
      " IS NOT DISTINCT FROM nullif(u.node, 0)), true)"
      " FROM unnest('{{{}}}'::oid[], '{{{}}}'::oid[]) AS u(oid, node)",
      unit.is_plain ? "ONLY " : "", unit.qualified, oids, filenodes);
}

}  // namespace pgteal::pipeline
