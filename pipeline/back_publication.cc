#include "pipeline/back_publication.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/replica_identity.h"
#include "pipeline/schema_baseline.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

// By it we know a publication that we made for a way back: it is removed with it.
constexpr const char* kComment = "pgteal: the way back";

constexpr const char* kShapeSql =
    "SELECT puballtables, pubviaroot, concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END,"
    " CASE WHEN pubupdate THEN 'update' END, CASE WHEN pubdelete THEN 'delete' END,"
    " CASE WHEN pubtruncate THEN 'truncate' END), pubupdate OR pubdelete,"
    " pg_has_role(pubowner, 'USAGE'), obj_description(oid, 'pg_publication')"
    " FROM pg_publication WHERE pubname = $1";

// Columns that only some versions have are read through jsonb.
constexpr const char* kMembersSql =
    "SELECT n.nspname, c.relname,"
    " coalesce(to_jsonb(r)->>'prqual', to_jsonb(r)->>'prattrs') IS NOT NULL"
    " FROM pg_publication AS p JOIN pg_publication_rel AS r ON r.prpubid = p.oid"
    " JOIN pg_class AS c ON c.oid = r.prrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE p.pubname = $1";
constexpr const char* kSchemasSql =
    "SELECT n.nspname FROM pg_publication AS p JOIN pg_publication_namespace AS m"
    " ON m.pnpubid = p.oid JOIN pg_namespace AS n ON n.oid = m.pnnspid WHERE p.pubname = $1";
constexpr const char* kTablesOfSchemasSql =
    "SELECT n.nspname, c.relname FROM pg_publication AS p JOIN pg_publication_namespace AS m"
    " ON m.pnpubid = p.oid JOIN pg_namespace AS n ON n.oid = m.pnnspid"
    " JOIN pg_class AS c ON c.relnamespace = n.oid"
    " WHERE p.pubname = $1 AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'";
// Partitions that are made later are to be sent as well.
constexpr const char* kRootsSql =
    "SELECT DISTINCT m.nspname, r.relname FROM pg_publication_tables AS p"
    " JOIN pg_namespace AS n ON n.nspname = p.schemaname"
    " JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename"
    " JOIN pg_class AS r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid)"
    " JOIN pg_namespace AS m ON m.oid = r.relnamespace"
    " WHERE p.pubname = $1 AND p.schemaname <> 'pgteal'";
// Of a side that will send: whether our role may publish a table, whether its identity is usable
// then, and what it comes with: its schema, and tables that it is a partition of. $1 publication.
// To be filled in: kUsableIdentitySql, kHiddenColumnsSql.
constexpr const char* kTablesSql = R"(
SELECT n.nspname, c.relname, pg_has_role(c.relowner, 'USAGE'),
       c.relpersistence <> 'p' OR {},
       an.nspname, a.relname
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace {}
  CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_ancestors(c.oid)) AS l(oid)
  JOIN pg_class AS a ON a.oid = l.oid JOIN pg_namespace AS an ON an.oid = a.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384)";

struct Shape {
  bool takes_all = false;
  bool is_via_root = false;
  std::string operations;
  bool sends_keys = false;
  bool is_ours = false;  // our role may alter it
  std::string comment;
  std::set<TableKey> tables;
  std::set<TableKey> narrowed;  // of these, those with a row filter or a column list
  std::set<std::string> schemas;

  std::string Options() const {
    return fmt::format("publish = {}, publish_via_partition_root = {}",
                       pg::QuoteLiteral(operations), is_via_root);
  }
};

struct Table {
  bool is_ours;
  bool has_identity;
  std::set<TableKey> lineage;  // itself, and what it is a partition of
};

bool HasSchemas(pg::Connection& side) { return side.server_version() >= 150000; }

std::set<TableKey> ReadKeys(pg::Connection& side, const char* sql, const std::string& name) {
  const auto rows = side.Exec(sql, {name});
  std::set<TableKey> keys;
  for (int i = 0; i < rows.rows(); ++i) keys.emplace(rows.String(i, 0), rows.String(i, 1));
  return keys;
}

std::optional<Shape> ReadShape(pg::Connection& side, const std::string& name) {
  const auto row = side.Exec(kShapeSql, {name});
  if (row.is_empty()) return std::nullopt;
  Shape shape{.takes_all = row.Bool(0, 0),
              .is_via_root = row.Bool(0, 1),
              .operations = row.String(0, 2),
              .sends_keys = row.Bool(0, 3),
              .is_ours = row.Bool(0, 4),
              .comment = row.String(0, 5),
              .tables = {},
              .narrowed = {},
              .schemas = {}};
  const auto members = side.Exec(kMembersSql, {name});
  for (int i = 0; i < members.rows(); ++i) {
    const TableKey key{members.String(i, 0), members.String(i, 1)};
    shape.tables.insert(key);
    if (members.Bool(i, 2)) shape.narrowed.insert(key);
  }
  if (!HasSchemas(side)) return shape;
  const auto schemas = side.Exec(kSchemasSql, {name});
  for (int i = 0; i < schemas.rows(); ++i) shape.schemas.insert(schemas.String(i, 0));
  return shape;
}

template <typename Key>
std::set<Key> Without(const std::set<Key>& some, const std::set<Key>& others) {
  std::set<Key> rest;
  std::set_difference(some.begin(), some.end(), others.begin(), others.end(),
                      std::inserter(rest, rest.end()));
  return rest;
}

std::string List(const std::set<TableKey>& tables) {
  std::string text;
  for (const auto& [schema, name] : tables) {
    text += (text.empty() ? "" : ", ") + pg::QuoteQualified(schema, name);
  }
  return text;
}

// Without a table's heirs, which the other side names itself if it has them.
std::string OnlyList(const std::set<TableKey>& tables) {
  std::string text;
  for (const auto& [schema, name] : tables) {
    text += (text.empty() ? "ONLY " : ", ONLY ") + pg::QuoteQualified(schema, name);
  }
  return text;
}

std::string List(const std::set<std::string>& schemas) {
  std::string text;
  for (const auto& schema : schemas) {
    text += (text.empty() ? "" : ", ") + pg::QuoteIdentifier(schema);
  }
  return text;
}

class Planner {
 public:
  Planner(pg::Connection& from, pg::Connection& to, const std::string& name)
      : from_(from), to_(to), name_(name), own_(ReadShape(to, name)) {
    const auto role = to.Exec(
        "SELECT rolsuper, has_database_privilege(current_database(), 'CREATE'),"
        " quote_ident(current_database()), quote_ident(current_user)"
        " FROM pg_roles WHERE rolname = current_user");
    is_superuser_ = role.Bool(0, 0);
    may_create_ = role.Bool(0, 1);
    create_fix_ =
        fmt::format("GRANT CREATE ON DATABASE {} TO {};", role.Text(0, 2), role.Text(0, 3));
  }

  BackPublication Plan() {
    auto wanted = ReadShape(from_, name_);
    if (!wanted) {
      throw pg::Refused(fmt::format("publication {} does not exist on the side that sends", name_));
    }
    Fit(&*wanted);
    const auto tables = ReadTables();
    if (wanted->sends_keys) RequireIdentities(*wanted, tables);
    if (own_ && own_->takes_all == wanted->takes_all) {
      Alter(*wanted, tables);
    } else {
      Create(*wanted, tables);
    }
    RequireRights();
    return std::move(plan_);
  }

 private:
  // To what this side and our role can publish.
  void Fit(Shape* wanted) {
    const bool has_all = own_ && own_->takes_all;
    if (wanted->takes_all && !has_all && !is_superuser_) {
      wanted->takes_all = false;
      wanted->tables = ReadKeys(from_, kRootsSql, name_);
    } else if (!wanted->takes_all && has_all) {
      // A list may stand for all tables of this one.
      wanted->takes_all =
          IsWayBackPublication(from_, name_) || UnpublishedTables(from_, name_).empty();
    }
    if (wanted->takes_all) {
      wanted->tables.clear();
      wanted->schemas.clear();
    }
    const bool has_schemas =
        own_ && !own_->takes_all && Without(wanted->schemas, own_->schemas).empty();
    if (wanted->schemas.empty() || has_schemas || (HasSchemas(to_) && is_superuser_)) return;
    wanted->tables.merge(ReadKeys(from_, kTablesOfSchemasSql, name_));
    wanted->schemas.clear();
  }

  std::map<TableKey, Table> ReadTables() {
    const auto rows =
        to_.Exec(fmt::format(kTablesSql, kUsableIdentitySql, kHiddenColumnsSql), {name_});
    std::map<TableKey, Table> tables;
    for (int i = 0; i < rows.rows(); ++i) {
      auto& table = tables[{rows.String(i, 0), rows.String(i, 1)}];
      table.is_ours = is_superuser_ || rows.Bool(i, 2);
      table.has_identity = rows.Bool(i, 3);
      table.lineage.emplace(rows.String(i, 4), rows.String(i, 5));
    }
    return tables;
  }

  // Also of tables that this side alone has, but for ours, which have keys.
  static bool WouldBeSent(const Shape& wanted, const Table& table) {
    return wanted.takes_all ||
           std::any_of(table.lineage.begin(), table.lineage.end(), [&](const TableKey& one) {
             return wanted.tables.contains(one) || wanted.schemas.contains(one.first);
           });
  }

  void RequireIdentities(const Shape& wanted, const std::map<TableKey, Table>& tables) {
    std::set<TableKey> lacking;
    std::string fixes;
    for (const auto& [key, table] : tables) {
      if (table.has_identity || !WouldBeSent(wanted, table)) continue;
      lacking.insert(key);
      fixes += fmt::format("{}ALTER TABLE {} REPLICA IDENTITY FULL;", fixes.empty() ? "" : " ",
                           pg::QuoteQualified(key.first, key.second));
    }
    if (lacking.empty()) return;
    Refuse(
        fmt::format("for a way back these tables need a replica identity on the side that is to be "
                    "opened, or their UPDATE and DELETE would fail there: {}",
                    List(lacking)),
        fixes +
            " -- or one as on the other side, or a primary key (where columns are generated: an "
            "index without them); or --no-way-back");
  }

  void Alter(const Shape& wanted, const std::map<TableKey, Table>& tables) {
    const std::string alter = "ALTER PUBLICATION " + pg::QuoteIdentifier(name_) + " ";
    auto dropped = Without(own_->tables, wanted.tables);
    auto added = Without(wanted.tables, own_->tables);
    for (const auto& key : own_->narrowed) {
      dropped.insert(key);
      if (wanted.tables.contains(key)) added.insert(key);
    }
    const auto dropped_schemas = Without(own_->schemas, wanted.schemas);
    const auto added_schemas = Without(wanted.schemas, own_->schemas);
    if (!dropped.empty()) Do(alter + "DROP TABLE " + OnlyList(dropped));
    if (!dropped_schemas.empty()) Do(alter + "DROP TABLES IN SCHEMA " + List(dropped_schemas));
    if (own_->Options() != wanted.Options()) Do(alter + "SET (" + wanted.Options() + ")");
    if (!added.empty()) Do(alter + "ADD TABLE " + OnlyList(added));
    if (!added_schemas.empty()) Do(alter + "ADD TABLES IN SCHEMA " + List(added_schemas));
    RequireTables(added, tables);
  }

  void Create(const Shape& wanted, const std::map<TableKey, Table>& tables) {
    const std::string name = pg::QuoteIdentifier(name_);
    if (own_) Do("DROP PUBLICATION " + name);
    std::string what = wanted.takes_all ? " FOR ALL TABLES" : "";
    if (!wanted.tables.empty()) what += " FOR TABLE " + OnlyList(wanted.tables);
    if (!wanted.schemas.empty()) {
      what += (what.empty() ? " FOR " : ", ") + ("TABLES IN SCHEMA " + List(wanted.schemas));
    }
    Do(fmt::format("CREATE PUBLICATION {}{} WITH ({})", name, what, wanted.Options()));
    const std::string comment = own_ ? own_->comment : kComment;
    if (!comment.empty()) {
      Do(fmt::format("COMMENT ON PUBLICATION {} IS {}", name, pg::QuoteLiteral(comment)));
    }
    RequireTables(wanted.tables, tables);
  }

  void RequireTables(const std::set<TableKey>& published, const std::map<TableKey, Table>& tables) {
    std::set<TableKey> missing;
    std::set<TableKey> foreign;
    for (const auto& key : published) {
      const auto found = tables.find(key);
      if (found == tables.end()) {
        missing.insert(key);
      } else if (!found->second.is_ours) {
        foreign.insert(key);
      }
    }
    if (!missing.empty()) {
      Refuse("tables that the other side publishes are missing: " + List(missing),
             "Create them, or take them out of the other side's publication.");
    }
    if (foreign.empty() || (own_ && !own_->is_ours)) return;
    Refuse("our role does not own these tables, so it cannot publish them: " + List(foreign),
           Script() + " -- as a superuser; or GRANT their owner's role to ours");
  }

  void RequireRights() {
    if (plan_.statements.empty()) return;
    if (own_ && !own_->is_ours) {
      Refuse(fmt::format("publication {} is not like the other side's, and our role may not alter "
                         "it",
                         name_),
             Script());
    } else if ((!own_ || plan_.statements.front().starts_with("DROP PUBLICATION")) &&
               !may_create_) {
      Refuse(fmt::format("our role may not create publication {}", name_), create_fix_);
    }
  }

  std::string Script() const {
    std::string text;
    for (const auto& sql : plan_.statements) text += (text.empty() ? "" : " ") + sql + ";";
    return text;
  }

  void Do(std::string sql) { plan_.statements.push_back(std::move(sql)); }
  void Refuse(std::string what, std::string fix) {
    plan_.obstacles.push_back({.what = std::move(what), .fix = std::move(fix)});
  }

  pg::Connection& from_;
  pg::Connection& to_;
  const std::string& name_;
  const std::optional<Shape> own_;  // what `to` has already
  bool is_superuser_ = false;
  bool may_create_ = false;
  std::string create_fix_;
  BackPublication plan_;
};

}  // namespace

BackPublication PlanBackPublication(pg::Connection& from, pg::Connection& to,
                                    const std::string& name) {
  return Planner(from, to, name).Plan();
}

bool IsWayBackPublication(pg::Connection& side, const std::string& name) {
  return !side.Exec(
                  "SELECT FROM pg_publication WHERE pubname = $1"
                  " AND obj_description(oid, 'pg_publication') = $2",
                  {name, kComment})
              .is_empty();
}

}  // namespace pgteal::pipeline
