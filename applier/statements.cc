#include "applier/statements.h"

#include <fmt/format.h>

namespace pgteal::applier {
namespace {

constexpr pg::Oid kTextArray{1009};

// ROWS FROM (unnest($1), unnest($2)) AS u(c4, c7): columns are named after their source index.
class UnnestSource {
 public:
  UnnestSource(const TargetRelation& target, const std::vector<Transport>& transports)
      : target_(target), transports_(transports) {}

  void Add(uint16_t column) {
    types_.push_back(transports_[column] == Transport::kText
                         ? kTextArray
                         : target_.columns[column].binary_array_type);
    arrays_ +=
        fmt::format("{}pg_catalog.unnest(${})", types_.size() == 1 ? "" : ", ", types_.size());
    names_ += fmt::format("{}c{}", types_.size() == 1 ? "" : ", ", column);
  }
  // The value of a column as green's type (or, binary, one that casts by assignment).
  std::string Value(uint16_t column) const {
    return transports_[column] == Transport::kText
               ? fmt::format("u.c{}::{}", column, target_.columns[column].type_sql)
               : fmt::format("u.c{}", column);
  }
  std::string From() const { return fmt::format("ROWS FROM ({}) AS u({})", arrays_, names_); }
  std::vector<pg::Oid> TakeTypes() { return std::move(types_); }

 private:
  const TargetRelation& target_;
  const std::vector<Transport>& transports_;
  std::vector<pg::Oid> types_;
  std::string arrays_;
  std::string names_;
};

const std::string& Equality(const TargetColumn& column) {
  static const std::string fallback = "OPERATOR(pg_catalog.=)";
  return column.equality.empty() ? fallback : column.equality;
}

std::string MatchUnnest(const TargetRelation& target, const ColumnList& columns,
                        const UnnestSource& source) {
  std::string sql;
  for (const uint16_t column : columns) {
    const auto& to = target.columns[column];
    sql += fmt::format("{}t.{}{} {} {}{}", sql.empty() ? "" : " AND ", to.name, to.base_cast,
                       Equality(to), source.Value(column), to.base_cast);
  }
  return sql;
}

std::string ColumnNames(const TargetRelation& target, const ColumnList& columns) {
  std::string sql;
  for (const uint16_t column : columns) {
    if (!sql.empty()) sql += ", ";
    sql += target.columns[column].name;
  }
  return sql;
}

}  // namespace

SetStatement InsertSet(const TargetRelation& target, const std::vector<Transport>& transports) {
  UnnestSource source(target, transports);
  std::string values;
  for (const uint16_t column : target.written) {
    source.Add(column);
    values += (values.empty() ? "" : ", ") + source.Value(column);
  }
  return {.sql = fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}",
                             target.qualified, ColumnNames(target, target.written), values,
                             source.From()),
          .parameter_types = source.TakeTypes()};
}

SetStatement UpdateSet(const TargetRelation& target, const ColumnList& assigned,
                       const std::vector<Transport>& transports) {
  UnnestSource source(target, transports);
  ColumnList matched = target.key;
  for (const uint16_t column : FixedColumns(target)) matched.push_back(column);
  for (const uint16_t column : matched) source.Add(column);
  std::string set;
  for (const uint16_t column : assigned) {
    source.Add(column);
    set += fmt::format("{}{} = {}", set.empty() ? "" : ", ", target.columns[column].name,
                       source.Value(column));
  }
  return {.sql = fmt::format("UPDATE {}{} AS t SET {} FROM {} WHERE {}", target.only(),
                             target.qualified, set, source.From(),
                             MatchUnnest(target, matched, source)),
          .parameter_types = source.TakeTypes()};
}

SetStatement DeleteSet(const TargetRelation& target, const std::vector<Transport>& transports) {
  UnnestSource source(target, transports);
  for (const uint16_t column : target.key) source.Add(column);
  return {
      .sql = fmt::format("DELETE FROM {}{} AS t USING {} WHERE {}", target.only(), target.qualified,
                         source.From(), MatchUnnest(target, target.key, source)),
      .parameter_types = source.TakeTypes()};
}

ColumnList AssignableColumns(const TargetRelation& target) {
  ColumnList columns;
  for (const uint16_t column : target.written) {
    if (!target.IsKey(column) && !target.columns[column].is_identity_always) {
      columns.push_back(column);
    }
  }
  return columns;
}

ColumnList FixedColumns(const TargetRelation& target) {
  ColumnList columns;
  if (!target.has_identity_always) return columns;
  for (const uint16_t column : target.written) {
    if (!target.IsKey(column) && target.columns[column].is_identity_always) {
      columns.push_back(column);
    }
  }
  return columns;
}

std::string CopySql(const TargetRelation& target, bool is_binary) {
  // A COPY without column names would mean all columns, so a table without any needs "()" absent.
  const std::string names =
      target.written.empty() ? "" : fmt::format(" ({})", ColumnNames(target, target.written));
  return fmt::format("COPY {}{} FROM STDIN (FORMAT {})", target.qualified, names,
                     is_binary ? "binary" : "text");
}

std::string InsertRowSql(const TargetRelation& target, const ColumnList& columns) {
  if (columns.empty()) return fmt::format("INSERT INTO {} DEFAULT VALUES", target.qualified);
  std::string values;
  for (size_t i = 1; i <= columns.size(); ++i)
    values += fmt::format("{}${}", i == 1 ? "" : ", ", i);
  return fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})", target.qualified,
                     ColumnNames(target, columns), values);
}

std::string UpdateRowSql(const TargetRelation& target, const ColumnList& assigned,
                         const std::string& condition) {
  std::string set;
  for (size_t i = 0; i < assigned.size(); ++i) {
    set += fmt::format("{}{} = ${}", i == 0 ? "" : ", ", target.columns[assigned[i]].name, i + 1);
  }
  return fmt::format("UPDATE {}{} AS t SET {} WHERE {}", target.only(), target.qualified, set,
                     condition);
}

std::string FindRowSql(const TargetRelation& target, const std::string& condition) {
  return fmt::format("SELECT FROM {}{} AS t WHERE {} FOR UPDATE", target.only(), target.qualified,
                     condition);
}

std::string DeleteRowSql(const TargetRelation& target, const std::string& condition) {
  return fmt::format("DELETE FROM {}{} AS t WHERE {}", target.only(), target.qualified, condition);
}

std::string MatchSql(const TargetRelation& target, const ColumnList& columns,
                     const decoder::ColumnValue* row, bool by_spelling, size_t first) {
  std::string sql;
  size_t parameter = first;
  for (const uint16_t index : columns) {
    const auto& column = target.columns[index];
    if (!sql.empty()) sql += " AND ";
    if (row[index].is_null()) {
      sql += fmt::format("t.{} IS NULL", column.name);
      continue;
    }
    const std::string value = fmt::format("${}::{}", parameter++, column.type_sql);
    // Types without equality (json, xml, point) are compared by their text alone. A key's type has
    // one, or it could not be indexed.
    const bool has_equality = !column.equality.empty() && !(by_spelling && column.has_parts);
    if (has_equality) {
      sql +=
          fmt::format("t.{0}{1} {2} {3}{1}", column.name, column.base_cast, column.equality, value);
      if (by_spelling && column.has_many_spellings) sql += " AND ";
    }
    if (!has_equality || (by_spelling && column.has_many_spellings)) {
      sql += fmt::format("t.{}::pg_catalog.text OPERATOR(pg_catalog.=) {}::pg_catalog.text",
                         column.name, value);
    }
  }
  return sql.empty() ? "true" : sql;
}

std::string OneOfSql(const TargetRelation& target, const std::string& match) {
  if (!target.is_partitioned) {
    return fmt::format("t.ctid = (SELECT t.ctid FROM ONLY {} AS t WHERE {} LIMIT 1)",
                       target.qualified, match);
  }
  // A ctid is unique within one partition only.
  return fmt::format(
      "(t.tableoid, t.ctid) IN (SELECT t.tableoid, t.ctid FROM {} AS t WHERE {} LIMIT 1)",
      target.qualified, match);
}

std::string TruncateSql(const std::vector<const TargetRelation*>& targets, bool restart_identity) {
  // CASCADE is not passed on: blue's list already names every table it reached, and green may have
  // further tables that must not be emptied.
  // RESTART IDENTITY is the right of a sequence's owner alone. Without it nothing is lost: all
  // sequences are set at the switchover.
  std::string tables;
  for (const auto* target : targets) {
    restart_identity &= target->may_restart_sequences;
    if (!tables.empty()) tables += ", ";
    tables += target->only() + target->qualified;
  }
  return fmt::format("TRUNCATE TABLE {} {} RESTRICT", tables,
                     restart_identity ? "RESTART IDENTITY" : "CONTINUE IDENTITY");
}

}  // namespace pgteal::applier
