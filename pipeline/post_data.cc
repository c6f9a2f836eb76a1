#include "pipeline/post_data.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "pg/quote.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kIndexesSql = R"(
SELECT n.nspname, c.relname, t.relname, pg_table_size(t.oid), pg_relation_size(c.oid),
       c.relkind = 'I', m.amname IN ('btree', 'hash', 'brin'), m.amname = 'btree',
       coalesce(k.conname, ''), coalesce(k.contype::text, ' '), pg_get_indexdef(c.oid),
       CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
         || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_class AS t ON t.oid = i.indrelid
  JOIN pg_am AS m ON m.oid = c.relam
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_constraint AS k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')";

using Key = std::pair<std::string, std::string>;  // schema, name of a dump item

// The keys are sorted and written, and the whole table is read, which costs less for each byte. A
// value with many keys is taken apart, of which the size of the index tells little.
uint64_t Weight(const SourceIndex& index) {
  return index.bytes + index.table_bytes / (index.has_key_per_row ? 8 : 5);
}

std::string Named(const DumpItem& item) { return item.type + " " + item.name; }

// The first statement, and what follows it (CLUSTER ON, REPLICA IDENTITY, …).
std::pair<std::string, std::string> SplitFirst(const std::string& sql) {
  const size_t end = sql.find(";\n");
  if (end == std::string::npos) return {sql, ""};
  return {sql.substr(0, end + 1), sql.substr(end + 2)};
}

class Planner {
 public:
  Planner(const std::vector<SourceIndex>& indexes, std::string publication)
      : publication_(std::move(publication)) {
    for (const auto& index : indexes) {
      by_item_[{index.schema,
                index.constraint.empty() ? index.name : index.table + " " + index.constraint}] =
          &index;
    }
  }

  void Add(const DumpItem& item) {
    if (item.type == "INDEX") {
      AddIndex(item);
    } else if (item.type == "CONSTRAINT") {
      AddConstraint(item);
    } else if (item.type == "FK CONSTRAINT") {
      AddForeignKey(item);
    } else if (item.type == "INDEX ATTACH") {
      plan_.attachments.push_back(Whole(item));
    } else if (item.type == "CHECK CONSTRAINT") {
      plan_.constraints.push_back(Whole(item));
    } else if (item.type == "EVENT TRIGGER") {
      last_.push_back(Whole(item));
    } else if (!IsOurPublication(item)) {
      plan_.rest.push_back(Whole(item));
    }
  }

  PostDataPlan Finish() {
    std::stable_sort(plan_.builds.begin(), plan_.builds.end(),
                     [](const auto& a, const auto& b) { return a.weight > b.weight; });
    plan_.rest.insert(plan_.rest.end(), last_.begin(), last_.end());
    return std::move(plan_);
  }

 private:
  static Statement Whole(const DumpItem& item) {
    return {.what = Named(item), .sql = item.settings + item.sql};
  }

  const SourceIndex* Find(const DumpItem& item) const {
    const auto found = by_item_.find({item.schema, item.name});
    return found == by_item_.end() ? nullptr : found->second;
  }

  bool IsOurPublication(const DumpItem& item) const {
    if (item.type == "PUBLICATION") return item.name == publication_;
    if (item.type == "COMMENT" || item.type == "SECURITY LABEL") {
      return item.name == "PUBLICATION " + pg::QuoteIdentifier(publication_) ||
             item.name == "PUBLICATION " + publication_;
    }
    return item.type.starts_with("PUBLICATION ") && item.name.starts_with(publication_ + " ");
  }

  void AddIndex(const DumpItem& item) {
    const auto* index = Find(item);
    if (index != nullptr && index->is_partitioned) {
      plan_.parents.push_back(Whole(item));
    } else {
      AddBuild(Whole(item), index);
    }
  }

  void AddBuild(Statement build, const SourceIndex* index) {
    if (index != nullptr) {
      build.weight = Weight(*index);
      if (index->is_btree) build.btree_bytes = index->bytes;
      build.table = {index->schema, index->table};
    }
    plan_.builds.push_back(std::move(build));
  }

  // ADD PRIMARY KEY would keep everybody off the table while it builds.
  void AddConstraint(const DumpItem& item) {
    const auto* index = Find(item);
    if (index != nullptr && index->is_partitioned) {
      plan_.parents.push_back(Whole(item));
      return;
    }
    // Only a btree can be built beforehand: not an exclusion, nor a key WITHOUT OVERLAPS (18).
    if (index == nullptr || !index->is_btree || index->constraint_kind == 'x') {
      plan_.constraints.push_back(Whole(item));
      return;
    }
    AddBuild({.what = Named(item), .sql = item.settings + index->definition}, index);
    const std::string kind = index->constraint_kind == 'p' ? "PRIMARY KEY" : "UNIQUE";
    plan_.attachments.push_back(
        {.what = Named(item),
         .sql = "ALTER TABLE ONLY " + pg::QuoteQualified(index->schema, index->table) +
                " ADD CONSTRAINT " + pg::QuoteIdentifier(index->constraint) + " " + kind +
                " USING INDEX " + pg::QuoteIdentifier(index->name) + index->constraint_attributes +
                ";\n" + SplitFirst(item.sql).second});
  }

  // "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT fk FOREIGN KEY … ;"
  void AddForeignKey(const DumpItem& item) {
    constexpr std::string_view kAlter = "ALTER TABLE ONLY ";
    constexpr std::string_view kAdd = "\n    ADD CONSTRAINT ";
    constexpr std::string_view kForeign = " FOREIGN KEY (";
    const auto [first, others] = SplitFirst(item.sql);
    const size_t add = first.find(kAdd);
    const size_t foreign = first.find(kForeign, add);
    // A partitioned table (without ONLY) cannot have one that is not valid; and one that is not
    // enforced (18) cannot be validated.
    const bool is_splittable = first.starts_with(kAlter) && foreign != std::string::npos &&
                               first.back() == ';' && !first.ends_with(" NOT VALID;") &&
                               !first.ends_with(" NOT ENFORCED;");
    if (!is_splittable) {
      plan_.constraints.push_back(Whole(item));
      return;
    }
    plan_.constraints.push_back(
        {.what = Named(item),
         .sql = item.settings + first.substr(0, first.size() - 1) + " NOT VALID;\n" + others});
    plan_.validations.push_back(
        {.what = Named(item),
         .sql = first.substr(0, add) + " VALIDATE CONSTRAINT " +
                first.substr(add + kAdd.size(), foreign - add - kAdd.size())});
  }

  const std::string publication_;
  std::map<Key, const SourceIndex*> by_item_;
  PostDataPlan plan_;
  std::vector<Statement> last_;
};

}  // namespace

std::vector<SourceIndex> ReadIndexes(pg::Connection& blue) {
  std::vector<SourceIndex> indexes;
  const auto rows = blue.Exec(kIndexesSql);
  for (int i = 0; i < rows.rows(); ++i) {
    SourceIndex index;
    index.schema = rows.String(i, 0);
    index.name = rows.String(i, 1);
    index.table = rows.String(i, 2);
    index.table_bytes = rows.IsNull(i, 3) ? 0 : static_cast<uint64_t>(rows.Int(i, 3));
    index.bytes = rows.IsNull(i, 4) ? 0 : static_cast<uint64_t>(rows.Int(i, 4));
    index.is_partitioned = rows.Bool(i, 5);
    index.has_key_per_row = rows.Bool(i, 6);
    index.is_btree = rows.Bool(i, 7);
    index.constraint = rows.String(i, 8);
    index.constraint_kind = rows.Text(i, 9).front();
    index.definition = rows.String(i, 10);
    index.constraint_attributes = rows.String(i, 11);
    indexes.push_back(std::move(index));
  }
  return indexes;
}

PostDataPlan PlanPostData(const std::vector<DumpItem>& items,
                          const std::vector<SourceIndex>& indexes, const std::string& publication) {
  Planner planner(indexes, publication);
  for (const auto& item : items) planner.Add(item);
  return planner.Finish();
}

}  // namespace pgteal::pipeline
