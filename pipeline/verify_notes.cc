#include "pipeline/verify_notes.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/sequence_copy.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

// So many names are listed one by one.
constexpr size_t kNamesMax = 10;

constexpr const char* kUnpublishedSql = R"(
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relpersistence = 'p' AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'pgteal')
   AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
   AND NOT EXISTS (SELECT 1 FROM pg_publication_tables AS p
                    WHERE p.pubname = $1 AND p.schemaname = n.nspname AND p.tablename = c.relname)
 ORDER BY 1, 2)";

constexpr const char* kConstraintsSql = R"(
SELECT n.nspname, c.relname, k.conname, k.convalidated
  FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE k.contype IN ('c', 'f', 'p', 'u', 'x'))";

constexpr const char* kInvalidIndexesSql = R"(
SELECT n.nspname, c.relname, x.relname FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT i.indisvalid)";

// The replica role switches off the check of these when rows are applied. The last three columns:
// of constraints that exclude by operators of their own, what is compared, how, and of which rows.
constexpr const char* kDeferrableSql = R"(
SELECT n.nspname, c.relname, k.conname, c.relkind = 'p',
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.place)
          FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.attnum),
       coalesce(to_jsonb(i)->>'indnullsnotdistinct', 'false') = 'true',
       e.parts, e.meets, pg_get_expr(i.indpred, i.indrelid)
  FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_index AS i ON i.indexrelid = k.conindid
 CROSS JOIN LATERAL (
       SELECT string_agg(format('%s%s AS x%s', pg_get_indexdef(i.indexrelid, u.place::int, false),
                                ' COLLATE ' || l.collation, u.place), ', ') AS parts,
              string_agg(format('a.x%s OPERATOR(%I.%s) b.x%s', u.place, m.nspname, o.oprname,
                                u.place), ' AND ') AS meets
         FROM unnest(k.conexclop) WITH ORDINALITY AS u(operator, place)
         JOIN pg_operator AS o ON o.oid = u.operator
         JOIN pg_namespace AS m ON m.oid = o.oprnamespace
         LEFT JOIN (SELECT y.oid, format('%I.%I', z.nspname, y.collname) AS collation
                      FROM pg_collation AS y JOIN pg_namespace AS z ON z.oid = y.collnamespace) AS l
                ON l.oid = i.indcollation[u.place::int - 1]) AS e
 WHERE k.contype IN ('p', 'u', 'x') AND k.condeferrable)";

// Their numbers, and where all can be read cheaply their contents.
constexpr const char* kLargeObjectsSql = R"(
SELECT oid, CASE WHEN pg_relation_size('pg_catalog.pg_largeobject') < 256 << 20
            THEN md5(lo_get(oid)) END FROM pg_largeobject_metadata)";

class Search {
 public:
  Search(pg::Connection& blue, pg::Connection& green, const std::vector<VerifyTable>& plan,
         const applier::SideNames& names, std::string publication)
      : blue_(blue), green_(green), names_(names), publication_(std::move(publication)) {
    for (const auto& table : plan) compared_.emplace(table.schema, table.name);
  }

  Findings Run() {
    Guarded("tables that are not published", [this] { LookForUnpublished(); });
    Guarded("constraints", [this] { CompareConstraints(); });
    Guarded("deferrable constraints", [this] { TestDeferrable(); });
    Guarded("sequences", [this] { CompareSequences(); });
    Guarded("large objects", [this] { CompareLargeObjects(); });
    return std::move(findings_);
  }

 private:
  template <typename Part>
  void Guarded(const char* what, Part part) {
    blue_.Exec("SAVEPOINT part");
    green_.Exec("SAVEPOINT part");
    try {
      part();
    } catch (const pg::ServerError& error) {
      Note("{} were not looked at: {}", what, error.what());
    }
    blue_.Exec("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part");
    green_.Exec("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part");
  }

  template <typename... Args>
  void Note(fmt::format_string<Args...> text, Args&&... args) {
    findings_.notes.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  void NoteNames(const std::string& what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    std::string list;
    for (size_t i = 0; i < names.size() && i < kNamesMax; ++i) {
      list += (i == 0 ? "" : ", ") + names[i];
    }
    if (names.size() > kNamesMax) list += fmt::format(" and {} more", names.size() - kNamesMax);
    Note("{}: {}", what, list);
  }
  bool IsCompared(const pg::Result& rows, int row) const {
    return compared_.contains({rows.String(row, 0), rows.String(row, 1)});
  }
  static std::string Qualified(const pg::Result& rows, int row) {
    return fmt::format("{}.{}", rows.Text(row, 0), rows.Text(row, 1));
  }

  void LookForUnpublished() {
    const auto rows = blue_.Exec(kUnpublishedSql, {publication_});
    std::vector<std::string> names;
    for (int i = 0; i < rows.rows(); ++i) names.push_back(Qualified(rows, i));
    NoteNames("tables that no publication sends, not compared", names);
  }

  void CompareConstraints() {
    std::map<std::pair<std::string, std::string>, bool> on_green;
    const auto target = green_.Exec(kConstraintsSql);
    for (int i = 0; i < target.rows(); ++i) {
      on_green[{Qualified(target, i), target.String(i, 2)}] = target.Bool(i, 3);
    }
    const auto source = blue_.Exec(kConstraintsSql);
    std::vector<std::string> missing;
    std::vector<std::string> not_valid;
    for (int i = 0; i < source.rows(); ++i) {
      if (!IsCompared(source, i)) continue;
      const auto found = on_green.find({Qualified(source, i), source.String(i, 2)});
      const std::string name = fmt::format("{} of {}", source.Text(i, 2), Qualified(source, i));
      if (found == on_green.end())
        missing.push_back(name);
      else if (source.Bool(i, 3) && !found->second)
        not_valid.push_back(name);
    }
    NoteNames("constraints missing on " + names_.green, missing);
    NoteNames("constraints not validated on " + names_.green, not_valid);
    const auto indexes = green_.Exec(kInvalidIndexesSql);
    std::vector<std::string> invalid;
    for (int i = 0; i < indexes.rows(); ++i) {
      if (IsCompared(indexes, i)) invalid.push_back(indexes.String(i, 2));
    }
    NoteNames("invalid indexes on " + names_.green, invalid);
  }

  // Of a row of kDeferrableSql.
  static std::string From(const pg::Result& rows, int row) {
    return fmt::format("{}{}", rows.Bool(row, 3) ? "" : "ONLY ",
                       pg::QuoteQualified(rows.Text(row, 0), rows.Text(row, 1)));
  }

  // Returns a row if two of the table have the same values.
  static std::string DoubledSql(const pg::Result& rows, int row) {
    const std::string columns = rows.String(row, 4);
    const std::string not_null =
        rows.Bool(row, 5) ? "" : fmt::format(" WHERE ROW({}) IS NOT NULL", columns);
    return fmt::format("SELECT FROM {}{} GROUP BY {} HAVING count(*) > 1 LIMIT 1", From(rows, row),
                       not_null, columns);
  }

  // Returns a row if two of the table exclude each other. The constraint's own index finds them.
  static std::string MeetingSql(const pg::Result& rows, int row) {
    const std::string values = fmt::format(
        "(SELECT tableoid AS part, ctid AS place, {} FROM {} WHERE {})", rows.Text(row, 6),
        From(rows, row), rows.IsNull(row, 8) ? "true" : rows.Text(row, 8));
    return fmt::format(
        "SELECT FROM {0} AS a JOIN {0} AS b ON {1}"
        " WHERE (a.part, a.place) IS DISTINCT FROM (b.part, b.place) LIMIT 1",
        values, rows.Text(row, 7));
  }

  void TestDeferrable() {
    const auto rows = green_.Exec(kDeferrableSql);
    for (int i = 0; i < rows.rows(); ++i) {
      if (!IsCompared(rows, i)) continue;
      const auto doubled =
          green_.Exec(rows.IsNull(i, 6) ? DoubledSql(rows, i) : MeetingSql(rows, i));
      if (doubled.is_empty()) continue;
      findings_.faults.push_back(fmt::format("constraint {} of {} does not hold on {}",
                                             rows.Text(i, 2), Qualified(rows, i), names_.green));
    }
  }

  void CompareSequences() {
    const auto on_green = ReadSequences(green_);
    std::vector<std::string> missing;
    size_t different = 0;
    for (const auto& [name, value] : ReadSequences(blue_)) {
      const auto found = on_green.find(name);
      if (found == on_green.end())
        missing.push_back(name);
      else if (!(found->second == value))
        ++different;
    }
    NoteNames("sequences missing on " + names_.green, missing);
    if (different == 0) return;
    Note("{} sequences stand elsewhere on {} (not in the stream; the switchover sets them)",
         different, names_.green);
  }

  void CompareLargeObjects() {
    std::map<std::string, std::string> on_green;
    const auto target = green_.Exec(kLargeObjectsSql);
    for (int i = 0; i < target.rows(); ++i) on_green[target.String(i, 0)] = target.String(i, 1);
    const auto source = blue_.Exec(kLargeObjectsSql);
    size_t missing = 0;
    size_t different = 0;
    for (int i = 0; i < source.rows(); ++i) {
      const auto found = on_green.extract(source.String(i, 0));
      missing += found.empty() ? 1 : 0;
      // Not read on one of the sides: only the numbers count.
      const bool is_known = !found.empty() && !source.IsNull(i, 1) && !found.mapped().empty();
      different += is_known && found.mapped() != source.Text(i, 1) ? 1 : 0;
    }
    if (missing + different + on_green.size() == 0) return;
    Note("large objects: {} missing, {} extra, {} different on {} (they are not in the stream)",
         missing, on_green.size(), different, names_.green);
  }

  pg::Connection& blue_;
  pg::Connection& green_;
  const applier::SideNames& names_;
  const std::string publication_;
  std::set<TableKey> compared_;
  Findings findings_;
};

}  // namespace

Findings FindBeyondRows(pg::Connection& blue, pg::Connection& green,
                        const std::vector<VerifyTable>& plan, const applier::SideNames& names,
                        const std::string& publication) {
  return Search(blue, green, plan, names, publication).Run();
}

}  // namespace pgteal::pipeline
